import { randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Certificate, makeCertificate } from "../../support/certificate.ts";
import { startLimitedStore } from "../../support/limited-store.ts";
import { launchRole, runProcess, withProcesses } from "../../support/processes.ts";
import { startWithTls } from "../../support/tls-server.ts";
import { until } from "../../support/until.ts";

describe("a Redis that only listens with TLS", withProcesses, () => {
  it("is reached by rediss:// if its certificate is trusted, and not otherwise", async () => {
    const certificate = await makeCertificate("IP:127.0.0.1");
    const port = randomInt(20_000, 32_000);
    const args = ["--port", "0", "--tls-port", String(port), ...certificate.args];
    const store = await startLimitedStore({ port, args });
    onTestFinished(store.stop);
    const stranger = { REDIS_URL: store.url.replace("redis:", "rediss:") };
    const env = { ...stranger, NODE_EXTRA_CA_CERTS: certificate.file };

    const [refused, doctor] = await Promise.all([
      runProcess(["doctor"], stranger),
      runProcess(["doctor"], env),
    ]);
    await launchRole("worker", env);
    const submit = ["submit", "echo", "--key", "k", "--payload", "1", "--json"];
    const { id } = JSON.parse((await runProcess(submit, env)).stdout);
    const status = await runProcess(["status", id, "--watch", "--json"], env);

    expect([refused.code, refused.stdout]).toEqual([3, ""]);
    expect([doctor.code, doctor.stderr]).toEqual([0, ""]);
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      state: "completed",
    });
  });
});

describe("a Redis Cluster that only listens with TLS", withProcesses, () => {
  it("is reached by its names if its certificates have those, and no addresses", async () => {
    const certificate = await makeCertificate("DNS:localhost");
    const ports = await startMasters(certificate);
    const REDIS_URL = ports.map((port) => `rediss://localhost:${port}`).join(",");
    const env = { REDIS_URL, NODE_EXTRA_CA_CERTS: certificate.file };

    const doctor = await runProcess(["doctor", "--verbose"], env);

    expect(doctor.stderr).toBe("");
    expect(doctor.stdout).toMatch(/topology +Redis Cluster: 3 masters \+ 0 replicas; disk: survives a crash/);
    expect(doctor.code).toBe(0);
  });
});

describe("a Sentinel set that only listens with TLS", withProcesses, () => {
  it("is reached if REDIS_URL says so for the master and for the sentinels", async () => {
    const certificate = await makeCertificate("IP:127.0.0.1");
    const { port } = await startWithTls(certificate);
    const folder = await mkdtemp(path.join(tmpdir(), "holdfast-sentinel-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const sentinelFile = path.join(folder, "sentinel.conf");
    await writeFile(sentinelFile, `dir ${folder}\nsentinel monitor main 127.0.0.1 ${port} 1\n`);
    const sentinel = await startWithTls(certificate, { sentinelFile, args: ["--tls-replication", "yes"] });
    const REDIS_URL = `sentinel://127.0.0.1:${sentinel.port}/main?tls=true&sentinelTls=true`;
    const env = { REDIS_URL, HOLDFAST_DURABILITY: "memory", NODE_EXTRA_CA_CERTS: certificate.file };

    expect(await runProcess(["doctor"], env)).toMatchObject({ code: 0, stderr: "" });
  });
});

/** Starts a cluster of three masters without replicas. @returns their ports, which only speak TLS */
async function startMasters(certificate: Certificate): Promise<readonly number[]> {
  const cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
  const named = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"];
  const servers = await Promise.all(
    [0, 1, 2].map(() => startWithTls(certificate, { args: [...cluster, ...named] })),
  );
  const clients = servers.map(({ url }) => new Redis(url));
  onTestFinished(() => {
    for (const client of clients) client.disconnect();
  });
  const slots = [0, 5_461, 10_923, 16_384];
  for (const [index, client] of clients.entries()) {
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    await client.call("CLUSTER", "ADDSLOTSRANGE", slots[index] ?? 0, (slots[index + 1] ?? 0) - 1);
    await clients[0]?.call("CLUSTER", "MEET", "127.0.0.1", servers[index]?.port ?? 0);
  }
  await until("the cluster is complete, and its nodes know their names", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    const names = await Promise.all(clients.map((client) => client.call("CLUSTER", "NODES")));
    return (
      known.every((info) => String(info).includes("cluster_state:ok")) &&
      names.every((nodes) => String(nodes).match(/,localhost/g)?.length === 3)
    );
  });
  return servers.map(({ port }) => port);
}
