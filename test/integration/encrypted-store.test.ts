import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { startLimitedStore } from "../support/limited-store.ts";
import { launchRole, run, withProcesses } from "../support/processes.ts";

/** A self-signed certificate for 127.0.0.1. */
async function makeCertificate(): Promise<{ readonly key: string; readonly certificate: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-tls-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [key, certificate] = [path.join(folder, "key.pem"), path.join(folder, "certificate.pem")];
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1"],
    ...["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
  ]);
  return { key, certificate };
}

describe("a Redis that only listens with TLS", withProcesses, () => {
  it("is reached by rediss:// if its certificate is trusted, and not otherwise", async () => {
    const { key, certificate } = await makeCertificate();
    const port = randomInt(20_000, 32_000);
    const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate];
    const args = ["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no", ...files];
    const store = await startLimitedStore({ port, args });
    onTestFinished(store.stop);
    const stranger = { REDIS_URL: store.url.replace("redis:", "rediss:") };
    const env = { ...stranger, NODE_EXTRA_CA_CERTS: certificate };

    const [refused, doctor] = await Promise.all([run(["doctor"], stranger), run(["doctor"], env)]);
    await launchRole("worker", env);
    const submit = ["submit", "echo", "--key", "k", "--payload", "1", "--json"];
    const { id } = JSON.parse((await run(submit, env)).stdout);
    const status = await run(["status", id, "--watch", "--json"], env);

    expect([refused.code, refused.stdout]).toEqual([3, ""]);
    expect([doctor.code, doctor.stderr]).toEqual([0, ""]);
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      state: "completed",
    });
  });
});
