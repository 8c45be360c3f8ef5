import { randomBytes } from "node:crypto";
import {
  createOperator,
  defineJob,
  type EffectCall,
  InDoubtError,
  type Producer,
  RetryAfterError,
  type RunEffect,
} from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

type Act = (call: EffectCall) => Promise<string>;

/** One version of a job with an effect; only the queue differs. */
function versionOf(
  queue: string,
  formerQueues: readonly string[],
  act: Act,
  variables: Variables,
  after: (effect: RunEffect<"charge" | "ship">) => Promise<unknown> = async () => {},
) {
  const order = defineJob({
    type: "order",
    payload: z.strictObject({ to: z.string() }),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } },
    timeoutMs: 10_000,
    effects: {
      charge: { timeoutMs: 5_000, inDoubt: "hold" },
      ship: { timeoutMs: 5_000, inDoubt: "hold" },
    },
    queue,
    formerQueues,
  });
  const handler = order.handler(async ({ payload, effect }) => {
    const charged = (await effect("charge", act, { index: payload.to })) ?? "unknown";
    await after(effect);
    return charged;
  });
  const application = applicationOf(handler);
  const service = createService(application, variables);
  const submit = (producer: Producer) =>
    producer.submit(order, { to: "maria" }, { idempotencyKey: "k" }).then(({ id }) => id);
  return { application, service, submit };
}

/** Runs the job in the old queue and forgets its key, which expires before its ledger. */
async function runBefore(act: Act, variables: Variables, state: "completed" | "failed") {
  const { service, submit } = versionOf("orders", [], act, variables);
  const producer = await service.createProducer();
  const worker = await service.startWorker();
  const id = await submit(producer);
  await untilState(producer, id, state);
  await worker.stop();
  const dedupKey = dedupKeyOf("order", "k");
  expect(
    await service.connect().del(queueKeys(service.env.HOLDFAST_PREFIX, "orders").dedupKey(dedupKey)),
  ).toBe(1);
  return { id, env: service.env };
}

const never: Act = async () => {
  throw new Error("the effect ran again");
};

describe("an effect that a job with the same key has begun in a former queue", () => {
  it("does not run again if it was done: the job gets its result", async () => {
    const { id, env } = await runBefore(async () => "charged", {}, "completed");
    const { service, submit } = versionOf("orders-2", ["orders"], never, env);
    const producer = await service.createProducer();
    await service.startWorker();

    const second = await submit(producer);

    expect(second).not.toBe(id);
    expect(await untilState(producer, second, "completed", "failed")).toMatchObject({
      state: "completed",
      result: "charged",
      effects: [{ name: "charge/maria", state: "done" }],
    });
  });

  it("leaves the job joined to its ledger, which does not expire while the job lives", async () => {
    const { env } = await runBefore(async () => "charged", {}, "completed");
    const { service, submit } = versionOf("orders-2", ["orders"], never, env, async (effect) => {
      await effect("ship", async () => "shipped");
      throw new RetryAfterError(60_000);
    });
    const producer = await service.createProducer();
    await service.startWorker();

    await untilState(producer, await submit(producer), "delayed");

    const redis = service.connect();
    const { ledger, newLedgers } = queueKeys(env.HOLDFAST_PREFIX, "orders-2");
    await until("the sweep has looked", async () => (await redis.exists(newLedgers)) === 0);
    expect(await redis.hmget(ledger(dedupKeyOf("order", "k")), "open", "jobs")).toEqual(["0", "1"]);
  });

  it("is found under another encryption key than the current one, too", async () => {
    const [old, now] = [2025, 2026].map((name) => `${name}:${randomBytes(32).toString("base64")}`);
    const { env } = await runBefore(
      async () => "charged",
      { HOLDFAST_ENCRYPTION_KEYS: `${old},${now}` },
      "completed",
    );
    const rotated = { ...env, HOLDFAST_ENCRYPTION_KEYS: `${now},${old}` };
    const { service, submit } = versionOf("orders-2", ["orders"], never, rotated);
    const producer = await service.createProducer();
    await service.startWorker();

    const second = await submit(producer);

    expect(await untilState(producer, second, "completed", "failed")).toMatchObject({
      state: "completed",
      result: "charged",
    });
  });

  it.each(["done", "not-done"] as const)(
    "is in doubt where it was in doubt there, is listed, and goes on when a person says %s",
    async (as) => {
      const doubtful: Act = async () => {
        throw new InDoubtError("who knows");
      };
      const { id, env } = await runBefore(doubtful, {}, "failed");
      let runs = 0;
      const act: Act = async () => {
        runs += 1;
        return "charged now";
      };
      const { application, service, submit } = versionOf("orders-2", ["orders"], act, env);
      const producer = await service.createProducer();
      await service.startWorker();
      const operator = await createOperator(application, env);
      onTestFinished(() => operator.stop());

      const second = await submit(producer);

      const failed = await untilState(producer, second, "completed", "failed");
      expect(failed.error).toMatchObject({ code: "EFFECT_IN_DOUBT" });
      const listed = await operator.doubts(0, 10);
      expect(listed.map(({ jobId, effect }) => ({ jobId, effect }))).toEqual(
        expect.arrayContaining([id, second].map((jobId) => ({ jobId, effect: "charge/maria" }))),
      );
      const resolution = { as, evidence: "seen", by: "me", ...(as === "done" && { result: '"seen"' }) };
      await operator.resolve(second, "charge/maria", resolution);
      const ended = await untilState(producer, second, "completed");
      expect(ended.result).toBe(as === "done" ? "seen" : "charged now");
      expect(runs).toBe(as === "done" ? 0 : 1);
      expect((await operator.doubts(0, 10)).map(({ jobId }) => jobId)).toEqual([id]);
    },
  );

  /** The former queue's ledger says that a run is under way; a job with the same key waits for it. */
  async function waitFor(act: Act) {
    const { env } = await runBefore(async () => "charged", {}, "completed");
    const { service, submit } = versionOf("orders-2", ["orders"], act, env);
    const there = queueKeys(env.HOLDFAST_PREFIX, "orders").ledger(dedupKeyOf("order", "k"));
    const run = { reservationId: "another", job: "another", fence: "1", worker: "gone", delivery: 1 };
    const redis = service.connect();
    const producer = await service.createProducer();
    await service.startWorker();
    const reserved = { ...run, state: "reserved", at: Date.now(), deadline: Date.now() + 3_000 };
    await redis.hset(there, "e:charge/maria", JSON.stringify(reserved), "open", 1);
    const id = await submit(producer);
    await untilState(producer, id, "delayed");
    return { redis, there, ended: () => untilState(producer, id, "completed", "failed") };
  }

  it("is waited for while its run there may go on, and is then in doubt", async () => {
    const { ended } = await waitFor(never);

    expect(await ended()).toMatchObject({ error: { code: "EFFECT_IN_DOUBT" } });
  });

  it("runs here once its run there has provably done nothing", async () => {
    const { redis, there, ended } = await waitFor(async () => "charged here");

    await redis.multi().hdel(there, "e:charge/maria").hset(there, "open", 0).exec();

    expect(await ended()).toMatchObject({ state: "completed", result: "charged here" });
  });

  it("runs if the former queue's ledger does not have it", async () => {
    const { env } = await runBefore(async () => "charged", {}, "completed");
    const { service, submit } = versionOf("orders-2", ["another"], async () => "charged again", env);
    // An undeclared queue is not read: the process would not have started.
    await service.connect().del(`${env.HOLDFAST_PREFIX}:queues`);
    const producer = await service.createProducer();
    await service.startWorker();

    expect(await untilState(producer, await submit(producer), "completed")).toMatchObject({
      result: "charged again",
    });
  });
});
