import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { application, echo } from "../../support/application.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { type RedisServer, type RedisServerOptions, startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { startWithTls } from "../../support/tls-server.ts";
import { until } from "../../support/until.ts";

async function start(options: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedisServer(options);
  onTestFinished(() => server.stop());
  return server;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-ways-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Submits twice by this `REDIS_URL`. */
async function submitBy(REDIS_URL: string, more: Readonly<Record<string, string>> = {}) {
  await using producer = await createProducer(application, { ...testEnvironment({ REDIS_URL }), ...more });
  const receipts = [
    await producer.submit(echo, 1, { idempotencyKey: "k" }),
    await producer.submit(echo, 1, { idempotencyKey: "k" }),
  ];
  return receipts.map(({ duplicate }) => duplicate);
}
const accepted = [false, true];

const ipv6 = ["--bind", "127.0.0.1", "::1"];

/** A cluster of three masters, which announce an address. @returns their ports */
async function startMasters(announced: string, args: readonly string[] = []): Promise<number[]> {
  const more = ["--cluster-enabled", "yes", ...ipv6, ...args];
  const servers = await Promise.all([0, 1, 2].map(() => start({ args: more })));
  const clients = servers.map(({ url }) => new Redis(url));
  onTestFinished(() => {
    for (const client of clients) client.disconnect();
  });
  const slots = [0, 5_461, 10_923, 16_384];
  for (const [index, client] of clients.entries()) {
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    await client.call("CLUSTER", "ADDSLOTSRANGE", slots[index] ?? 0, (slots[index + 1] ?? 0) - 1);
    await clients[0]?.call("CLUSTER", "MEET", announced, servers[index]?.port ?? 0);
  }
  await until("the cluster is complete", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    return known.every((info) => String(info).includes("cluster_state:ok"));
  });
  return servers.map(({ port }) => port);
}

describe("a Redis is reached", () => {
  it("at an IPv6 address", async () => {
    const { port } = await start({ args: ipv6 });

    expect(await submitBy(`redis://[::1]:${port}`)).toEqual(accepted);
  });

  it("through Sentinels at IPv6 addresses, which name a master at one", async () => {
    const { port } = await start({ args: ipv6 });
    const folder = await temporaryFolder();
    const sentinelFile = path.join(folder, "sentinel.conf");
    await writeFile(sentinelFile, `dir ${folder}\nsentinel monitor main ::1 ${port} 1\n`);
    const sentinel = await start({ sentinelFile, args: ipv6 });
    const url = `sentinel://[::1]:${sentinel.port}/main`;

    expect(await submitBy(url, { HOLDFAST_DURABILITY: "memory" })).toEqual(accepted);
  });

  it("as a cluster at IPv6 addresses", async () => {
    const ports = await startMasters("::1");

    expect(await submitBy(ports.map((port) => `redis://[::1]:${port}`).join(","))).toEqual(accepted);
  });

  it("as a cluster whose nodes do not say their addresses", async () => {
    const ports = await startMasters("127.0.0.1", ["--cluster-preferred-endpoint-type", "unknown-endpoint"]);

    expect(await submitBy(ports.map((port) => `redis://127.0.0.1:${port}`).join(","))).toEqual(accepted);
  });

  it("as such a cluster whose nodes name each other in redirections, while slots are moved", async () => {
    const ports = await startMasters("127.0.0.1", ["--cluster-preferred-endpoint-type", "unknown-endpoint"]);
    const REDIS_URL = ports.map((port) => `redis://127.0.0.1:${port}`).join(",");
    await using producer = await createProducer(application, testEnvironment({ REDIS_URL }));
    await producer.submit(echo, 1, { idempotencyKey: "before" });
    const nodes = ports.map((port) => new Redis(port));
    onTestFinished(() => {
      for (const node of nodes) node.disconnect();
    });
    const [first] = nodes as [Redis];
    const ids = await Promise.all(nodes.map((node) => node.call("CLUSTER", "MYID")));

    // An empty slot that the client still thinks is at the third node.
    const slot = "16000";
    for (const node of nodes.toReversed())
      await node.call("CLUSTER", "SETSLOT", slot, "NODE", String(ids[0]));

    expect(await first.call("CLUSTER", "COUNTKEYSINSLOT", slot)).toBe(0);
    expect(await producer.submit(echo, 1, { idempotencyKey: "after" })).toMatchObject({ duplicate: false });
  });

  it("by its socket, with a password", async () => {
    const folder = await temporaryFolder();
    const socket = path.join(folder, "redis.sock");
    await start({ args: ["--unixsocket", socket] });
    const admin = new Redis(socket);
    onTestFinished(() => admin.disconnect());
    await admin.call("ACL", "SETUSER", "jobs", "on", ">s@cret", "~*", "&*", "+@all");
    await admin.config("SET", "requirepass", "hunter2");

    expect(await submitBy(`unix://:hunter2@${socket}`)).toEqual(accepted);
    expect(await submitBy(`unix://jobs:s%40cret@${socket}`)).toEqual(accepted);
    await expect(submitBy(`unix://:wrong-one@${socket}`)).rejects.toMatchObject({
      code: "STORE_REFUSED",
      message: expect.not.stringContaining("wrong-one"),
    });
  });
});

describe("a certificate from an unknown authority is named as the cause", () => {
  const refused = {
    code: "STORE_REFUSED",
    message: expect.stringMatching(/^TLS with (Redis|the sentinels) failed: .*Remedy: .*NODE_EXTRA_CA_CERTS/),
  };

  it("of one server", async () => {
    const { port } = await startWithTls(await makeCertificate("IP:127.0.0.1"));

    await expect(submitBy(`rediss://127.0.0.1:${port}`)).rejects.toMatchObject(refused);
  });

  it("of a cluster's nodes", async () => {
    const certificate = await makeCertificate("IP:127.0.0.1");
    const args = ["--cluster-enabled", "yes"];
    const nodes = await Promise.all([
      startWithTls(certificate, { args }),
      startWithTls(certificate, { args }),
    ]);
    const url = nodes.map(({ port }) => `rediss://127.0.0.1:${port}`).join(",");

    await expect(submitBy(url)).rejects.toMatchObject(refused);
  });

  it("of the sentinels, and of the master that they name", async () => {
    const certificate = await makeCertificate("IP:127.0.0.1");
    const { port } = await startWithTls(certificate);
    const folder = await temporaryFolder();
    const sentinelFile = path.join(folder, "sentinel.conf");
    await writeFile(sentinelFile, `dir ${folder}\nsentinel monitor main 127.0.0.1 ${port} 1\n`);
    const sentinel = await startWithTls(certificate, { sentinelFile });
    const withTls = `sentinel://127.0.0.1:${sentinel.port}/main?tls=true&sentinelTls=true`;
    const plain = `sentinel://${new URL(sentinel.url).host}/main?tls=true`;

    await expect(submitBy(withTls)).rejects.toMatchObject(refused);
    await expect(submitBy(plain)).rejects.toMatchObject(refused);
  });
});
