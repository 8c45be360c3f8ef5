import { fileURLToPath } from "node:url";
import { type Attempt, createOperator, defineConfig, defineJob } from "holdfast";
import { startTestHoldfast } from "holdfast/testing";
import { describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import following, { pay, ship } from "../../support/fixtures/following.config.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";

const common = {
  payload: z.strictObject({ order: z.string() }),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 10_000,
} as const;
const order = defineJob({ ...common, type: "order" });
const pack = defineJob({ ...common, type: "pack", queue: "packing" });

/** An application whose orders do this, and whose jobs to pack wait for ever. */
function orders(run: (attempt: Attempt<{ order: string }>) => Promise<unknown>) {
  const application = defineConfig({
    jobs: [order, pack],
    handlers: async () => [order.handler(run), pack.handler(async ({ payload }) => payload)],
  });
  return { application, service: createService(application) };
}

describe("a job that a handler submits", () => {
  it("is made once by several attempts, also when its queue is divided between them", async () => {
    const receipts: { id: string; duplicate: boolean }[] = [];
    const { application, service } = orders(async ({ payload, attempt, submit }) => {
      receipts.push(await submit(pack, payload));
      const { HOLDFAST_PREFIX: prefix } = service.env;
      if (attempt === 2) await divideQueue(plainStores(service.connect(), prefix), prefix, "packing", 4);
      if (attempt < 3) throw new Error("not yet");
      return null;
    });
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(order, { order: "7" }, { idempotencyKey: "order-7" });
    await untilState(producer, id, "completed");

    const [first] = receipts;
    expect(receipts).toEqual([false, true, true].map((duplicate) => ({ ...first, duplicate })));
    await untilState(producer, String(first?.id), "completed");
    await using operator = await createOperator(application, service.env);
    const { jobs } = await operator.list({ state: "completed", type: "pack", limit: 10 });
    expect(jobs).toMatchObject([{ id: first?.id, idempotencyKey: "order:order-7/pack" }]);
  });

  it("fails the job whose attempts submit different content under one name", async () => {
    const { service } = orders(async ({ attempt, submit }) => {
      await submit(pack, { order: `attempt ${attempt}` }, { name: "parcel" });
      throw new Error("not yet");
    });
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(order, { order: "7" }, { idempotencyKey: "k" });

    expect((await untilState(producer, id, "failed")).error).toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
      message: expect.stringContaining(
        'submit "parcel": this job has submitted other content under this name',
      ),
    });
  });

  it("is there once when its worker is killed before the submitting job ends", withProcesses, async () => {
    const config = fileURLToPath(new URL("../../support/fixtures/following.config.ts", import.meta.url));
    const service = createService(following, { HOLDFAST_LOCK_MS: "1000" });
    const producer = await service.createProducer();
    const env = { ...service.env, HOLDFAST_CONFIG: config, TEST_DIES: "1" } as Variables;
    const worker = await launchRole("worker", env);
    const { id } = await producer.submit(pay, { order: "7" }, { idempotencyKey: "order-7" });
    expect(await worker.ended).toMatchObject({ code: null });

    await service.startWorker();

    expect(await untilState(producer, id, "completed")).toMatchObject({ result: { duplicate: true } });
    const next = await producer.submit(ship, { order: "7" }, { idempotencyKey: "pay:order-7/ship" });
    expect(next.duplicate).toBe(true);
    await untilState(producer, next.id, "completed");
    const counts = await service.openBareQueue("shipping").getJobCounts();
    expect(Object.values(counts).reduce((sum, many) => sum + many)).toBe(1);
  });

  it("is among what a test's Holdfast has as submitted", async () => {
    const { application } = orders(async ({ payload, submit }) => await submit(pack, payload));
    await using holdfast = await startTestHoldfast(application, { redisUrl: inject("redisUrl") });
    await holdfast.submit(order, { order: "7" }, { idempotencyKey: "k" });
    await holdfast.drain();

    expect(await holdfast.submitted(pack)).toMatchObject([
      { idempotencyKey: "order:k/pack", payload: { order: "7" } },
    ]);
  });
});
