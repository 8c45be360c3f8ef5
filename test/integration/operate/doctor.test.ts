import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startProxy } from "../../../lab/lib/proxy.ts";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../../../src/core/job/internal-queue.ts";
import { diagnose, diagnoseSystem } from "../../../src/desk/doctor/doctor.ts";
import { createOperator } from "../../../src/desk/operator.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import type { Finding } from "../../../src/platform/errors/finding.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { application, echo } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { run } from "../../support/run-command.ts";
import { createService, testEnvironment, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await startRedisServer();
  return () => server.stop();
});
afterEach(async () => {
  await server.restart();
});

const environment = (variables: Variables = {}) => testEnvironment({ REDIS_URL: server.url, ...variables });

async function configure(name: string, value: string): Promise<void> {
  const store = createService(application, { REDIS_URL: server.url }).connect();
  await store.config("SET", name, value);
  store.disconnect();
}

/** The output of `holdfast doctor`, without a process. */
async function findingsOf(env: Variables): Promise<Finding[]> {
  const settings = readSettings(env);
  const store = await reachRedis(settings, "fail-fast");
  try {
    return await diagnose(application, openQueueStores(store, settings.HOLDFAST_PREFIX), settings);
  } finally {
    await store.stop();
  }
}

describe("holdfast doctor", withProcesses, () => {
  it("finds no fault in a well-configured Redis, and lists its checks", async () => {
    const { code, stdout } = await run(["doctor", "--verbose"], environment());
    expect(code).toBe(0);
    for (const name of [
      "version",
      "appendfsync",
      "maxmemory-policy",
      "replicas",
      "memory",
      "latency",
      "clock",
      "stop grace",
    ])
      expect(stdout).toMatch(new RegExp(`^ok {4}${name} `, "m"));
    expect(stdout).toMatch(/^warn {2}workers of default /m);
    expect(stdout).toMatch(/\d+ ok, 1 to look at, 0 bad\n$/);
  });

  it("prints what is wrong first, then what to look at, and folds what is well into one line", async () => {
    const env = environment({ HOLDFAST_DURABILITY: "memory" });
    const service = createService(application, env);
    const producer = await service.createProducer();
    await producer.submit(echo, 1, { idempotencyKey: "nobody-there" });
    const operator = await createOperator(application, env);
    await operator.queues.pause("default", { reason: "deploy", by: "test" });
    await configure("maxmemory", "500kb");

    const { code, stdout } = await run(["doctor"], env);

    await operator.stop();
    const verdicts = [...stdout.matchAll(/^(bad|warn|ok) +(.*)$/gm)];
    expect(code).toBe(1);
    // A Set keeps the order in which it got them.
    expect([...new Set(verdicts.map(([, verdict]) => verdict))]).toEqual(["bad", "warn", "ok"]);
    expect(verdicts.filter(([, verdict]) => verdict !== "bad").map(([, , text]) => text)).toEqual([
      expect.stringMatching(/^queue default .*: deploy$/),
      expect.stringMatching(/^\d+ checks; --verbose lists them$/),
    ]);
  });

  it("prints one line per fault, with its consequence and remedy, and exits with 1", async () => {
    await configure("appendfsync", "everysec");
    const { code, stdout } = await run(["doctor", "--json"], environment());
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    const findings = lines.map((line) => JSON.parse(line) as Finding);
    expect(findings.filter(({ verdict }) => verdict === "bad")).toMatchObject([{ name: "appendfsync" }]);
  });

  it.each([
    ["maxmemory-policy", "allkeys-lru", /deletes jobs and keys/],
    ["appendonly", "no", /loses acknowledged jobs/],
    ["appendfsync", "everysec", /last second of acknowledged jobs/],
  ])("explains what can be lost with %s %s, and the remedy", async (name, value, reason) => {
    await configure(name, value);
    const bad = (await findingsOf(environment())).filter(({ verdict }) => verdict === "bad");
    expect(bad).toMatchObject([
      {
        name,
        found: value,
        reason: expect.stringMatching(reason),
        remedy: expect.stringContaining("CONFIG SET"),
      },
    ]);
  });

  it("explains what durability memory can lose", async () => {
    await configure("appendonly", "no");
    expect(await findingsOf(environment({ HOLDFAST_DURABILITY: "memory" }))).toContainEqual(
      expect.objectContaining({
        name: "persistence",
        verdict: "ok",
        found: expect.stringContaining("a restart of Redis may lose everything"),
      }),
    );
  });

  it("detects that Redis is nearly full", async () => {
    await configure("maxmemory", "500kb");
    expect(await findingsOf(environment())).toContainEqual(
      expect.objectContaining({ name: "memory", verdict: "bad" }),
    );
  });

  it("can be made room in while it is full, which is on record", async () => {
    const env = environment();
    const service = createService(application, env);
    const producer = await service.createProducer();
    const operator = await createOperator(application, env);
    const { id } = await producer.submit(echo, 1, { idempotencyKey: "in the way" });
    await operator.cancel(id);
    await configure("maxmemory", "1");
    await expect(producer.submit(echo, 1, { idempotencyKey: "more" })).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    const clean = {
      filter: { endedTo: Date.now() + 60_000 },
      limit: 9,
      by: "ann@build-1",
      reason: "it is full",
    };
    expect(await operator.clean(clean)).toMatchObject({ deleted: 1 });
    expect(await operator.auditTrail(1)).toMatchObject([
      { as: "deleted", count: 1, evidence: expect.stringMatching(/: it is full$/) },
    ]);
    await operator.stop();
  });

  it("detects jobs that wait without a worker, and doubts that wait for a person", async () => {
    const env = environment({ HOLDFAST_STOP_GRACE_MS: "500" });
    const service = createService(application, env);
    const producer = await service.createProducer();
    await producer.submit(echo, 1, { idempotencyKey: "nobody-there" });
    expect(await findingsOf(env)).toContainEqual(
      expect.objectContaining({
        name: "workers of default",
        verdict: "bad",
        found: "0 alive, 1 job waiting",
      }),
    );

    await service.startWorker();
    const { id } = await producer.submit(echo, 2, { idempotencyKey: "somebody-there" });
    await untilState(producer, id, "completed");
    expect(await findingsOf(env)).toContainEqual(
      expect.objectContaining({
        name: "workers of default",
        verdict: "ok",
        found: "1 alive, 0 jobs waiting",
      }),
    );
  });

  it("names a data directory that cannot be written", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-doctor-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const file = join(directory, "a-file");
    await writeFile(file, "");

    expect(await findingsOf(environment({ HOLDFAST_DATA_DIR: file }))).toContainEqual(
      expect.objectContaining({
        name: "data directory",
        verdict: "bad",
        found: `${file}: ENOTDIR`,
        remedy: expect.stringContaining("HOLDFAST_DATA_DIR"),
      }),
    );
    const missing = environment({ HOLDFAST_DATA_DIR: join(directory, "not", "yet") });
    expect(await findingsOf(missing)).toContainEqual(
      expect.objectContaining({ name: "data directory", verdict: "ok" }),
    );
    expect(await readdir(directory)).toEqual(["a-file"]);
  });

  it("looks at a queue without a worker although nothing waits", async () => {
    expect(await findingsOf(environment())).toContainEqual(
      expect.objectContaining({
        name: "workers of default",
        verdict: "warn",
        found: "0 alive, 0 jobs waiting",
      }),
    );
  });

  it("detects acts on many jobs that no worker starts, which no queue shows", async () => {
    const env = environment();
    const service = createService(application, env);
    const operator = await createOperator(application, env);
    const act = { act: "cancel", filter: { type: "echo" }, reason: "a look" } as const;
    const { id } = await operator.acts.start(act, "ann@build-1");
    await operator.stop();
    const acts = async () => (await findingsOf(env)).filter(({ name }) => name === "acts on many jobs");
    expect(await acts()).toMatchObject([{ verdict: "ok", found: "0 running, 1 waiting" }]);
    const redis = service.connect();
    const job = queueKey(env.HOLDFAST_PREFIX, INTERNAL_QUEUE, id);
    await redis.hset(job, "timestamp", Date.now() - 120_000);
    expect(await acts()).toMatchObject([
      { verdict: "bad", found: expect.stringMatching(/^0 running, 1 waiting, the next one for 2 min/) },
    ]);
    const { stdout } = await run(["overview", "--json"], env);
    expect(JSON.parse(stdout)).toMatchObject({
      acts: { running: 0, waiting: 1, oldestWaitingSince: expect.any(String) },
      queues: [{ name: "default", waiting: 0 }],
    });
    const worker = await service.startWorker();
    await until("it has run", async () => (await acts()).length === 0);
    await worker.stop(); // before Redis restarts: then it would wait for its whole grace
  });

  it("names the missing keys that waiting jobs are encrypted with", async () => {
    const key = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
    const env = environment({ HOLDFAST_ENCRYPTION_KEYS: key("2025") });
    const producer = await createService(application, env).createProducer();
    await producer.submit(echo, 1, { idempotencyKey: "now" });
    await producer.submit(echo, 1, { idempotencyKey: "later", delayMs: 60_000 });
    const found = "of the next jobs 2 with key 2025";

    expect(await findingsOf(env)).toContainEqual(
      expect.objectContaining({ name: "encryption of default", verdict: "ok", found }),
    );
    expect(await findingsOf({ ...env, HOLDFAST_ENCRYPTION_KEYS: key("2026") })).toContainEqual(
      expect.objectContaining({
        name: "encryption of default",
        verdict: "bad",
        found,
        remedy: expect.stringContaining("2025"),
      }),
    );
  });

  it("diagnoses a Redis that is far too slow for clients", async () => {
    const proxy = await startProxy(server.port);
    onTestFinished(() => proxy.stop());
    proxy.become({ kind: "delayed", ms: 120 });

    const { stdout, stderr } = await run(["doctor"], environment({ REDIS_URL: proxy.url }));

    expect(stderr).toBe("");
    expect(stdout).toMatch(/^(warn|bad) +latency/m);
  });

  it("leaves no rejection unhandled when Redis goes away: that would end the API's process", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    onTestFinished(() => void process.off("unhandledRejection", onUnhandled));
    const settings = readSettings(environment());
    const store = await reachRedis(settings, "fail-fast");
    const stores = openQueueStores(store, settings.HOLDFAST_PREFIX);
    await store.stop();

    await expect(diagnoseSystem(application, stores, settings)).rejects.toThrow();
    await nextTurn();
    expect(unhandled).toEqual([]);
  });

  it("exits with 3 if Redis cannot be reached, and says where it looked and why there", async () => {
    expect(await run(["doctor"], { HOLDFAST_DATA_DIR: "/no/such/directory" })).toEqual({
      code: 3,
      stdout: "",
      stderr:
        "The store cannot be reached: /no/such/directory/store/redis.sock, the embedded server of `holdfast up`, because REDIS_URL is not set: ENOENT\n",
    });
  });
});

describe("GET /health/ready", () => {
  it("shows each check with its verdict, and is public", async () => {
    const { url } = await createService(application, environment()).startApi();
    const { status, body } = await get(`${url}/health/ready`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "ready", reasons: [] });
    expect((body.checks as Finding[]).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["version", "appendfsync", "memory", "latency", "clock"]),
    );
  });
});
