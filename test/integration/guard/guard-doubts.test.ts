import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOperator, defineConfig, NotDoneError } from "holdfast";
import { http } from "holdfast/evidence";
import { createGuard, defineEffect, type Guard, InDoubtError } from "holdfast/guard";
import { startApi } from "holdfast/server";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../support/free-port.ts";
import { get, post } from "../../support/http.ts";
import { run as runCommand } from "../../support/run-command.ts";
import { testEnvironment, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const charge = defineEffect({ name: "charge", timeoutMs: 5_000, inDoubt: "hold" });
const order = { key: "order-17", content: { cents: 500 }, by: "shop", about: "order 17 of Ann" };
const fail = async () => Promise.reject(new Error("socket hang up"));

async function openGuard(variables: Variables = {}) {
  const env = testEnvironment(variables);
  const open = async (): Promise<Guard> => {
    const guard = await createGuard({ effects: [charge], env });
    onTestFinished(() => guard.stop());
    return guard;
  };
  return { env, open, guard: await open() };
}

/** Of a folder without an application. */
async function run(args: readonly string[], env: Variables) {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-guard-"));
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await runCommand(args, { ...env, HOLDFAST_CONFIG: "" });
  } finally {
    process.chdir(before);
  }
}

async function doubtOf(guard: Guard, call = order) {
  const error = await guard.once(charge, call, fail).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InDoubtError);
  const { doubt } = error as InDoubtError;
  return doubt ?? expect.fail("it has no doubt");
}

async function startService(env: Variables) {
  const api = await startApi(defineConfig({ jobs: [] }), env);
  onTestFinished(() => api.stop());
  return api;
}

describe("a doubt of a guarded effect", () => {
  it("is listed and resolved on the command line, where no application is, and the next call goes on", async () => {
    const { env, guard } = await openGuard();
    const doubt = await doubtOf(guard);

    const listed = await run(["doubts", "list", "--json"], env);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      jobId: doubt.id,
      effect: "charge",
      effectKey: doubt.effectKey,
      idempotencyKey: "order-17",
      type: null,
      by: "shop",
      about: "order 17 of Ann",
      mayStillRun: false,
      reason: "socket hang up",
    });
    expect(listed.stderr).toContain("only effects of guards are shown");
    const { stdout } = await run(["doubts", "list"], env);
    expect(stdout).toContain("about order 17 of Ann, asked by shop");
    expect(stdout).toContain(doubt.effectKey);

    const args = ["doubts", "resolve", doubt.id, "charge", "--as", "done", "--evidence", "in the export"];
    const resolved = await run([...args, "--result", '{"id":"ch_1"}'], env);
    expect(resolved).toMatchObject({ code: 0 });
    expect(resolved.stdout).toContain("no job waits for it: the next call goes on");
    expect(await guard.once(charge, order, fail)).toEqual({ id: "ch_1" });
    const audit = await run(["audit", "list", "--json"], env);
    expect(JSON.parse(audit.stdout)).toMatchObject({
      jobId: doubt.id,
      effect: "charge",
      as: "done",
      evidence: "in the export",
      queue: "holdfast-guard",
    });
  });

  it("runs with the next call after not done, and not before", async () => {
    const { env, guard } = await openGuard();
    const doubt = await doubtOf(guard);
    const args = ["doubts", "resolve", doubt.id, "charge", "--as", "not-done", "--evidence", "not there"];
    expect(await run(args, env)).toMatchObject({ code: 0 });
    expect(await guard.once(charge, order, async () => 7)).toBe(7);
    expect(await run(args, env)).toMatchObject({ code: 1, stderr: expect.stringContaining("it is done") });
  });

  it("is in the service's list, its metrics and its audit log, and resolved over HTTP", async () => {
    const { env, guard } = await openGuard();
    const doubt = await doubtOf(guard);
    const { url } = await startService(env);

    const { body } = await get(`${url}/doubts`);
    expect(body.doubts).toMatchObject([{ jobId: doubt.id, about: "order 17 of Ann" }]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('holdfast_effects_in_doubt{queue="holdfast-guard"} 1');
    const answer = await post(`${url}/jobs/${encodeURIComponent(doubt.id)}/effects/charge/resolve`, {
      as: "done",
      evidence: "seen",
      result: 5,
    });
    expect(answer).toMatchObject({ status: 200, body: { job: "next-call" } });
    expect(await guard.once(charge, order, fail)).toBe(5);
    expect((await get(`${url}/audit?jobId=${doubt.id}`)).body.entries).toMatchObject([{ as: "done" }]);
  });

  it("is resolved by a provider's export that has its effect key", async () => {
    const { env, guard } = await openGuard();
    const doubt = await doubtOf(guard);
    const other = await doubtOf(guard, { ...order, key: "order-18" });
    const file = join(await mkdtemp(join(tmpdir(), "holdfast-export-")), "export.csv");
    await writeFile(file, `id,key\nch_1,${doubt.effectKey}\n`);

    const imported = await run(["doubts", "import", file, "--evidence", "export of 12:00", "--yes"], env);
    expect(imported).toMatchObject({ code: 0 });
    const left = await run(["doubts", "list", "--json"], env);
    expect(left.stdout.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(left.stdout)).toMatchObject({ jobId: other.id });
  });

  it("is a finding of the doctor, with the classifier that would have proved it to be none", async () => {
    const { env, guard } = await openGuard();
    const port = await freePort();
    await guard.once(charge, order, () => fetch(`http://127.0.0.1:${port}/`)).catch(() => {});
    const { stdout } = await run(["doctor", "--json"], env);
    const findings = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string });
    expect(findings).toContainEqual(expect.objectContaining({ name: "doubts of guards", verdict: "warn" }));
    expect(findings).toContainEqual(expect.objectContaining({ name: "effect charge of a guard" }));
  });

  it("has what its process saw leave as evidence, and is none where a classifier proves that", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/refused") response.writeHead(402).end();
      else request.socket.destroy();
    }).listen(0, "127.0.0.1");
    await until("it listens", () => server.listening);
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const env = testEnvironment();
    const classified = defineEffect({
      name: "classified",
      timeoutMs: 5_000,
      inDoubt: "hold",
      classify: http,
    });
    await using guard = await createGuard({ effects: [classified], env });
    const send = (path: string) => async () => {
      const answer = await fetch(url + path, { method: "POST" });
      if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status });
    };

    const lost = await guard.once(classified, { key: "1" }, send("/lost")).catch((error: unknown) => error);
    expect((lost as InDoubtError).doubt?.evidence).toMatchObject([
      { method: "POST", path: "/lost", sent: "all" },
    ]);
    await expect(guard.once(classified, { key: "2" }, send("/refused"))).rejects.toThrow("refused");
    expect(await guard.once(classified, { key: "2" }, async () => 1)).toBe(1);
  });

  it("is kept out of sight of whoever reads Redis, if there are encryption keys", async () => {
    const variables = { HOLDFAST_ENCRYPTION_KEYS: `a:${Buffer.alloc(32, 7).toString("base64")}` };
    const { env, guard } = await openGuard(variables);
    const doubt = await doubtOf(guard);
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    const ledger = `${env.HOLDFAST_PREFIX}:{${doubt.id.split("_")[0]}}:ledger:${doubt.id.slice(doubt.id.indexOf("_") + 1)}`;
    const { Redis } = await import("ioredis");
    const redis = new Redis(env.REDIS_URL);
    const stored = JSON.stringify(await redis.hgetall(ledger));
    redis.disconnect();

    expect(stored).toContain("in-doubt");
    for (const secret of ["order-17", "Ann", "shop", "hang up"]) expect(stored).not.toContain(secret);
    expect(await operator.doubts(0, 10)).toMatchObject([{ idempotencyKey: "order-17", about: order.about }]);
    await operator.resolve(doubt.id, "charge", { as: "done", evidence: "x", by: "ann", result: '"yes"' });
    expect(await guard.once(charge, order, fail)).toBe("yes");
  });

  it("leaves no key behind when its effect did not happen", async () => {
    const { guard } = await openGuard();
    const no = async () => Promise.reject(new NotDoneError("no"));
    await guard.once(charge, order, no).catch(() => {});
    expect(await guard.once(charge, { ...order, content: "other" }, async () => 1)).toBe(1);
  });
});
