import { randomUUID } from "node:crypto";
import { type Job, type Processor, Queue, UnrecoverableError, Worker } from "bullmq";
import { createOperator, defineConfig, SnoozeError } from "holdfast";
import { createGuard, defineEffect, guardJob, NotDoneError } from "holdfast/guard";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { latch } from "../../support/latch.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const charge = defineEffect({ name: "charge", timeoutMs: 5_000, inDoubt: "hold" });
const probed = defineEffect({ name: "probed", timeoutMs: 5_000, inDoubt: "probe" });

/** A queue of bare BullMQ and a worker, with a guard beside it. */
async function open(processor: (guarded: ReturnType<typeof guardJob>, job: Job) => Promise<unknown>) {
  const env = testEnvironment();
  const guard = await createGuard({ effects: [charge, probed], env });
  const connection = new Redis(env.REDIS_URL, { maxRetriesPerRequest: null });
  const name = `orders-${randomUUID()}`;
  const queue = new Queue(name, { connection });
  const process: Processor = (job, token) => processor(guardJob(guard, job, token), job);
  const worker = new Worker(name, process, { connection, concurrency: 5 });
  onTestFinished(async () => {
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
    await guard.stop();
    connection.disconnect();
  });
  const add = async (attempts = 3) => {
    const job = await queue.add("order", { cents: 5 }, { attempts, backoff: { type: "fixed", delay: 50 } });
    return job.id ?? "";
  };
  const inState = (id: string, state: string) =>
    until(`job ${id} is ${state}`, async () => {
      const isThere = (await queue.getJobState(id)) === state;
      return isThere && (await queue.getJob(id));
    });
  return { env, guard, queue, add, inState };
}

describe("guardJob in a worker of bare BullMQ", () => {
  it("acts once for a job that fails afterwards and is tried again", async () => {
    const act = vi.fn(async () => 7);
    const { add, inState } = await open(async (guarded, job) => {
      const result = await guarded.once(charge, {}, act);
      if (job.attemptsMade < 2) throw new Error("later, something else failed");
      return result;
    });
    const job = await inState(await add(), "completed");
    expect(job.returnvalue).toBe(7);
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("acts once for each of two jobs with equal content", async () => {
    const act = vi.fn(async () => 7);
    const { add, inState } = await open((guarded) => guarded.once(charge, {}, act));
    for (const id of [await add(), await add()]) await inState(id, "completed");
    expect(act).toHaveBeenCalledTimes(2);
  });

  it("has a key for a job whose id is long, too, which no job of another queue has", async () => {
    const act = vi.fn(async () => 7);
    const { guard } = await open(async () => undefined);
    const job = (id: string, queueName = "orders") => ({
      id,
      name: "order",
      timestamp: 5,
      queueName,
      moveToDelayed: vi.fn(),
    });
    const url = `https://shop.example/${"x".repeat(300)}`;
    for (const id of [`${url}/1`, `${url}/1`, `${url}/2`])
      expect(await guardJob(guard, job(id), "token").once(charge, {}, act)).toBe(7);
    for (const [id, queue] of [
      ["eu 1", "orders"],
      ["1", "orders eu"],
      ["eu%201", "orders"],
    ] as const)
      expect(await guardJob(guard, job(id, queue), "token").once(charge, {}, act)).toBe(7);
    expect(act).toHaveBeenCalledTimes(5);
  });

  it("delays a job while another process is at its effect, and uses up no attempt", async () => {
    const [begun, end] = [latch(), latch()];
    const act = vi.fn(async () => 8);
    const held = { key: "shared", content: null };
    const { guard, add, inState } = await open((guarded) => guarded.once(charge, held, act));
    const other = guard.once(charge, held, async () => {
      begun.open();
      await end.opened;
      return 7;
    });
    await begun.opened;
    const id = await add(1);
    await inState(id, "delayed");
    end.open();
    await other;
    const job = await inState(id, "delayed");
    await job.promote();
    expect((await inState(id, "completed")).returnvalue).toBe(7);
    expect(act).not.toHaveBeenCalled();
  });

  it("fails a job in doubt at once with the doubt's id, and lets it go on when it is resolved and retried", async () => {
    const act = vi.fn(async () => Promise.reject(new Error("socket hang up")));
    const { env, add, inState } = await open((guarded) => guarded.once(charge, {}, act));
    const id = await add();
    const failed = await inState(id, "failed");
    expect(failed.attemptsMade).toBe(1);
    const [doubtId = ""] = /holdfast-guard[.\d]*_[\w-]{22}/.exec(failed.failedReason) ?? [];

    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    expect(await operator.doubts(0, 10)).toMatchObject([
      { jobId: doubtId, about: expect.stringContaining(`job ${id} (order)`) },
    ]);
    await operator.resolve(doubtId, "charge", { as: "done", evidence: "x", by: "ann", result: "9" });
    await failed.retry();
    expect((await inState(id, "completed")).returnvalue).toBe(9);
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("tries again, as the job says, what did not happen", async () => {
    let tries = 0;
    const { add, inState } = await open((guarded) =>
      guarded.once(charge, {}, async () => {
        tries += 1;
        if (tries < 3) throw new NotDoneError("not yet");
        return tries;
      }),
    );
    const job = await inState(await add(), "completed");
    expect([job.returnvalue, job.attemptsMade]).toEqual([3, 3]);
  });

  it("fails a job for good where trying again cannot help", async () => {
    const { add, inState } = await open((guarded) =>
      guarded.once(charge, {}, async () => Promise.reject(new NotDoneError("declined", { permanent: true }))),
    );
    const job = await inState(await add(), "failed");
    expect(job.attemptsMade).toBe(1);
    expect(job.failedReason).toContain("declined");
  });

  it("delays a job whose probe asks to be asked later", async () => {
    const probe = vi.fn(async () => Promise.reject(new SnoozeError(60_000)));
    const fail = async () => Promise.reject(new Error("socket hang up"));
    const { add, inState } = await open((guarded) => guarded.once(probed, {}, fail, { probe }));
    const id = await add();
    const job = await inState(id, "delayed");
    await until("the probe was asked", () => probe.mock.calls.length > 0);
    expect((await inState(id, "delayed")).delay).toBeGreaterThan(50_000);
    expect(job.id).toBe(id);
  });

  it("throws what BullMQ takes for its own", async () => {
    const job = { id: "1", name: "order", timestamp: 1, queueName: "orders", moveToDelayed: vi.fn() };
    const { guard } = await open(async () => 1);
    const guarded = guardJob(guard, job, "token");
    const doubt = guarded.once(charge, {}, async () => Promise.reject(new Error("?")));
    await expect(doubt).rejects.toMatchObject({
      name: new UnrecoverableError().name,
      code: "IN_DOUBT",
      doubt: { effect: "charge" },
    });
    expect(job.moveToDelayed).not.toHaveBeenCalled();
  });
});
