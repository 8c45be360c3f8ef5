import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createOperator, defineConfig, defineJob, defineSchedule, InDoubtError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { keyIdOf } from "../../../src/platform/redis/encryption/codec.ts";
import { encryptionKeys } from "../../../src/platform/redis/encryption/keys-in-use.ts";
import { fingerprintSecretKey } from "../../../src/platform/redis/encryption/shared-secret.ts";
import { echo, application as fixtures } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import {
  applicationOf,
  createService,
  type Service,
  testEnvironment,
  untilState,
} from "../../support/service.ts";
import { storedBytes } from "../../support/stored-bytes.ts";
import { until } from "../../support/until.ts";

const newKey = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
const [oldKey, key] = [newKey("old"), newKey("new")];

/** A text for each place that a job's secrets can reach. */
const texts = {
  key: "TEXT-IN-THE-KEY",
  payload: "TEXT-IN-THE-PAYLOAD",
  batch: "TEXT-IN-A-BATCH",
  tick: "TEXT-OF-A-TICK",
  delayed: "TEXT-IN-A-DELAYED-JOB",
  progress: "TEXT-IN-THE-PROGRESS",
  log: "TEXT-IN-THE-LOG",
  effectResult: "TEXT-IN-AN-EFFECT-RESULT",
  index: "TEXT-IN-AN-INDEX",
  result: "TEXT-IN-THE-RESULT",
  error: "TEXT-IN-AN-ERROR",
  doubt: "TEXT-IN-A-DOUBT",
  evidence: "TEXT-IN-THE-EVIDENCE",
  resolvedResult: "TEXT-IN-A-RESOLVED-RESULT",
  queuePause: "TEXT-OF-A-QUEUE-PAUSE",
  schedulePause: "TEXT-OF-A-SCHEDULE-PAUSE",
};

const job = defineJob({
  type: "confidential",
  payload: z.strictObject({ text: z.string(), does: z.enum(["succeed", "fail", "doubt"]) }),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 20_000,
  effects: { act: { timeoutMs: 10_000, inDoubt: "hold" } },
});
const handler = job.handler(async ({ payload, attempt, effect, progress, log }) => {
  await progress({ text: texts.progress });
  log.info(texts.log);
  const act = () => effect("act", async () => texts.effectResult);
  if (payload.does === "fail") {
    await act();
    throw new Error(`${texts.error} ${attempt}`);
  }
  if (payload.does === "doubt") {
    const fail = async (): Promise<string> => {
      throw new InDoubtError(texts.doubt);
    };
    const outcome = await effect("act", fail, { index: texts.index });
    return `${texts.result} ${outcome}`;
  }
  await effect("act", async () => texts.effectResult, { index: texts.index });
  return { text: texts.result, acted: await act() };
});
const nightly = defineSchedule({
  name: "nightly",
  cron: "0 0 1 1 *",
  timeZone: "UTC",
  job,
  payload: () => ({ text: texts.tick, does: "succeed" as const }),
});
const application = defineConfig({ jobs: [job], schedules: [nightly], handlers: async () => [handler] });

/** Uses every feature; resolves to what readers see. */
async function useEverything(service: Service) {
  const { url } = await service.startApi();
  await service.startWorker();
  const submission = (idempotencyKey: string, text: string, does: string, options = {}) => ({
    type: "confidential",
    idempotencyKey,
    payload: { text, does },
    options,
  });
  const submit = async (...parts: Parameters<typeof submission>) =>
    (await post(`${url}/jobs`, submission(...parts))).body.id;
  const detailOf = (id: string) => get(`${url}/jobs/${id}`).then(({ body }) => body);
  const ended = (id: string, state: string) =>
    until(`job ${id} is ${state}`, async () => {
      const detail = await detailOf(id);
      return detail.state === state && detail;
    });

  const done = await submit(texts.key, texts.payload, "succeed");
  const failed = await submit("failed", texts.payload, "fail");
  const doubted = await submit("doubted", texts.payload, "doubt");
  const delayed = await submit("delayed", texts.delayed, "succeed", { delayMs: 3_600_000 });
  await post(`${url}/jobs/batch`, { jobs: [submission("batched", texts.batch, "succeed")] });
  await post(`${url}/schedules/nightly/run`, undefined);
  await ended(failed, "failed");
  await post(`${url}/jobs/${failed}/retry`, undefined);
  await ended(doubted, "failed");
  const { doubts } = (await get(`${url}/doubts`)).body as unknown as { doubts: { reason: string }[] };
  await post(`${url}/jobs/${doubted}/effects/act%2F${texts.index}/resolve`, {
    as: "done",
    evidence: texts.evidence,
    result: texts.resolvedResult,
  });
  await until("all jobs have ended", async () => {
    const { body } = await get(`${url}/jobs?state=completed`);
    return (body.jobs as unknown[]).length === 4;
  });
  return {
    url,
    doubts,
    done: await ended(done, "completed"),
    failed: await ended(failed, "failed"),
    doubted: await ended(doubted, "completed"),
    delayed: await detailOf(delayed),
    listed: (await get(`${url}/jobs?idempotencyKey=${texts.key}`)).body,
    failures: (await get(`${url}/failures`)).body,
    queuePause: (await post(`${url}/queues/default/pause`, { reason: texts.queuePause })).body,
    schedulePause: (await post(`${url}/schedules/nightly/pause`, { reason: texts.schedulePause })).body,
    history: (await get(`${url}/history`)).body,
    audit: (await get(`${url}/audit`)).body,
    again: (await post(`${url}/jobs`, submission(texts.key, texts.payload, "succeed"))).body,
  };
}

async function onNewRedis(keys: string) {
  const directory = await mkdtemp(path.join(tmpdir(), "holdfast-encrypted-"));
  const server = await startRedisServer({ directory });
  onTestFinished(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const variables = { REDIS_URL: server.url, HOLDFAST_ENCRYPTION_KEYS: keys };
  const seen = await useEverything(createService(application, variables));
  const bytes = await storedBytes(directory);
  const found = Object.values(texts).filter((text) => bytes.includes(text));
  return { seen, found };
}

describe("under encryption", () => {
  it("no text of payload, result, progress, log, error, effect, doubt or evidence is ever stored", async () => {
    const { seen, found } = await onNewRedis(key);

    expect(found).toEqual([]);
    const result = { text: texts.result, acted: texts.effectResult };
    expect(seen.done).toMatchObject({
      idempotencyKey: texts.key,
      payload: { text: texts.payload },
      progress: { text: texts.progress },
      result,
      logs: [expect.stringContaining(texts.log)],
      effects: expect.arrayContaining([expect.objectContaining({ name: `act/${texts.index}` })]),
    });
    expect(seen.listed).toMatchObject({ jobs: [{ id: seen.done.id, idempotencyKey: texts.key, result }] });
    expect(seen.failed).toMatchObject({
      error: { code: "HANDLER_FAILED", message: `${texts.error} 2` },
      // It was retried by hand.
      attempts: [1, 2, 1, 2].map((attempt) => ({ message: `${texts.error} ${attempt}` })),
    });
    expect(seen.failures).toMatchObject({
      groups: [{ code: "HANDLER_FAILED", count: 1, message: `${texts.error} 2` }],
    });
    expect(seen.doubts).toMatchObject([{ effect: `act/${texts.index}`, reason: texts.doubt }]);
    expect(seen.doubted).toMatchObject({ result: `${texts.result} ${texts.resolvedResult}` });
    expect(seen.audit).toMatchObject({
      entries: expect.arrayContaining([
        expect.objectContaining({ effect: `act/${texts.index}`, evidence: texts.evidence }),
      ]),
    });
    expect(seen.again).toMatchObject({ id: seen.done.id, duplicate: true });
    expect(seen.queuePause).toMatchObject({ paused: { reason: texts.queuePause } });
    expect(seen.schedulePause).toMatchObject({ paused: { reason: texts.schedulePause } });
    expect(JSON.stringify(seen.history)).toContain(texts.queuePause);
  });

  it("is needed for that: without keys every text is stored", async () => {
    const { found } = await onNewRedis("");

    expect(found).toEqual(Object.values(texts));
  });
});

describe("turning encryption on", () => {
  it("leaves reasons of pauses readable, also those of earlier versions", async () => {
    const plain = createService(application);
    const operator = await plain.createOperator();
    await operator.queues.pause("default", { reason: "plain queue", by: "me" });
    await operator.schedules.pause("nightly", { reason: "plain schedule", by: "me" });
    const encrypted = createService(application, { ...plain.env, HOLDFAST_ENCRYPTION_KEYS: key });
    const later = await encrypted.createOperator();
    const reasons = async () => [
      (await later.queues.show("default")).paused?.reason,
      (await later.schedules.list()).schedules[0]?.paused?.reason,
    ];
    expect(await reasons()).toEqual(["plain queue", "plain schedule"]);

    const redis = plain.connect();
    const control = queueKey(plain.env.HOLDFAST_PREFIX, "default", "control");
    const reason = "hf1.new.looks-encrypted";
    await redis.hdel(control, "note");
    await redis.hset(control, { reason });
    const since = Date.now();
    const pauses = `${plain.env.HOLDFAST_PREFIX}:schedule-pauses`;
    await redis.del(pauses);
    await redis.hset(pauses, { [`nightly:${since}`]: JSON.stringify({ reason, by: "me", since }) });
    expect(await reasons()).toEqual([reason, reason]);
  });

  it("leaves older jobs readable and runnable, and their idempotency keys matching", async () => {
    const env = testEnvironment();
    const plain = await createService(fixtures, env).createProducer();
    const waiting = await plain.submit(echo, "from before", { idempotencyKey: "k" });
    await plain.stop();

    const encrypted = createService(fixtures, { ...env, HOLDFAST_ENCRYPTION_KEYS: key });
    const producer = await encrypted.createProducer();
    await encrypted.startWorker();

    expect(await untilState(producer, waiting.id, "completed")).toMatchObject({ result: "from before" });
    expect(await producer.submit(echo, "from before", { idempotencyKey: "k" })).toEqual({
      ...waiting,
      duplicate: true,
    });
    await expect(producer.submit(echo, "other", { idempotencyKey: "k" })).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    const secret = await encrypted.connect().get(fingerprintSecretKey(env.HOLDFAST_PREFIX));
    expect(keyIdOf(secret ?? "")).toBe("new");
  });

  it("does not repeat earlier effects, with or without an index", async () => {
    const runs: string[] = [];
    const acting = defineJob({
      type: "acting",
      payload: z.unknown(),
      result: z.unknown(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
      timeoutMs: 10_000,
      effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
    });
    let isMended = false;
    const actingHandler = acting.handler(async ({ effect }) => {
      await effect("act", async () => runs.push("act"));
      await effect("act", async () => runs.push("act/a"), { index: "a" });
      if (!isMended) throw new Error("not yet");
    });
    const env = testEnvironment();
    const application = applicationOf(actingHandler);
    const plain = createService(application, env);
    const worker = await plain.startWorker();
    const first = await plain.createProducer();
    const { id } = await first.submit(acting, 1, { idempotencyKey: "k" });
    await untilState(first, id, "failed");
    await Promise.all([first.stop(), worker.stop()]);
    const encrypted = createService(application, { ...env, HOLDFAST_ENCRYPTION_KEYS: key });
    const producer = await encrypted.createProducer();

    isMended = true;
    await encrypted.startWorker();
    await (await createOperator(application, encrypted.env)).retry(id);

    expect(await untilState(producer, id, "completed")).toMatchObject({
      effects: expect.arrayContaining([expect.objectContaining({ name: "act/a" })]),
    });
    expect(runs).toEqual(["act", "act/a"]);
  });
});

describe("what cannot be decrypted", () => {
  async function withoutItsKey() {
    const env = testEnvironment();
    const before = createService(fixtures, { ...env, HOLDFAST_ENCRYPTION_KEYS: oldKey });
    const worker = await before.startWorker();
    const producer = await before.createProducer();
    const completed = await producer.submit(echo, "done", { idempotencyKey: "done" });
    await untilState(producer, completed.id, "completed");
    await worker.stop();
    const waiting = await producer.submit(echo, "waiting", { idempotencyKey: "waiting" });
    await producer.stop();
    const after = createService(fixtures, { ...env, HOLDFAST_ENCRYPTION_KEYS: key });
    return { before, after, completed, waiting };
  }

  /** As after the retention. */
  async function forgetKeys({ connect, env }: Service) {
    const client = connect();
    const { HOLDFAST_PREFIX: prefix } = env;
    await client.del(...Object.values(encryptionKeys(prefix)), fingerprintSecretKey(prefix));
  }

  it("never runs: the job waits for a worker that has its key", async () => {
    const { before, after, waiting } = await withoutItsKey();
    await forgetKeys(after);
    const worker = await after.startWorker();
    const operator = await after.createOperator();

    await until("the job is deferred", async () => (await operator.detail(waiting.id))?.state === "delayed");
    expect(await operator.detail(waiting.id)).toMatchObject({
      attemptsMade: 0,
      payload: expect.stringContaining('encrypted with key "old"'),
      idempotencyKey: expect.stringContaining('encrypted with key "old"'),
    });
    await worker.stop();
    await forgetKeys(after);
    await before.startWorker();
    const producer = await before.createProducer();
    expect(await untilState(producer, waiting.id, "completed")).toMatchObject({ result: "waiting" });
  });

  it("is not a result: the status reports it, and lists still show the rest", async () => {
    const { after, completed, waiting } = await withoutItsKey();
    const operator = await after.createOperator();

    expect(await operator.detail(completed.id)).toMatchObject({
      state: "completed",
      result: null,
      error: { code: "DECRYPTION_FAILED" },
    });
    expect((await operator.list({ limit: 10 })).jobs).toMatchObject([
      { id: waiting.id },
      { id: completed.id },
    ]);
  });

  it("refuses submissions: without the fingerprints' secret a reused key could not be detected", async () => {
    const { after } = await withoutItsKey();
    await forgetKeys(after);
    const { url } = await after.startApi();

    expect(await post(`${url}/jobs`, { type: "echo", payload: 1, idempotencyKey: "k" })).toMatchObject({
      status: 500,
      body: { code: "DECRYPTION_FAILED", detail: expect.stringContaining("nothing was stored") },
    });
  });

  it("includes text moved to another job", async () => {
    const env = testEnvironment();
    const service = createService(fixtures, { ...env, HOLDFAST_ENCRYPTION_KEYS: key });
    const producer = await service.createProducer();
    const [one, other] = await producer.submitMany(echo, [
      { payload: "one", idempotencyKey: "one" },
      { payload: "other", idempotencyKey: "other" },
    ]);
    if (one === undefined || other === undefined || !("id" in one) || !("id" in other)) throw new Error();
    const store = service.connect();
    const jobKey = (id: string) => queueKey(env.HOLDFAST_PREFIX, "default", id);
    await store.hset(jobKey(other.id), "data", (await store.hget(jobKey(one.id), "data")) ?? "");

    await service.startWorker();

    expect(await untilState(producer, one.id, "completed")).toMatchObject({ result: "one" });
    expect(await untilState(producer, other.id, "failed")).toMatchObject({
      error: { code: "DECRYPTION_FAILED", message: expect.stringContaining("moved") },
    });
  });
});
