import { defineConfig, defineJob, type Logger } from "holdfast";
import { type FailedAttempt, startWorker, type WorkerHooks } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { latch } from "../../support/latch.ts";
import { createService, testEnvironment, untilState } from "../../support/service.ts";

const job = defineJob({
  type: "failing",
  payload: z.strictObject({}),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 1 } },
  timeoutMs: 10_000,
});
const thrown = new Error("the printer is on fire", { cause: new Error("heat") });

const application = defineConfig({
  jobs: [job],
  handlers: async () => [
    job.handler(async () => {
      throw thrown;
    }),
  ],
});

/** A logger as pino's, that keeps what it gets. */
function keepingLogger() {
  const lines: unknown[][] = [];
  const write = (...line: unknown[]) => void lines.push(line);
  const logger: Logger = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    fatal: write,
    child: () => logger,
  };
  return { logger, lines, texts: () => lines.map((line) => line.at(-1)) };
}

async function runOne(hooks: WorkerHooks) {
  const service = createService(application);
  const log = keepingLogger();
  const worker = await startWorker(application, service.env, { logger: log.logger, ...hooks });
  const producer = await service.createProducer();
  const { id } = await producer.submit(job, {}, { idempotencyKey: "one" });
  await untilState(producer, id, "failed");
  await worker.stop();
  return { id, ...log };
}

describe("a worker's hooks", () => {
  it("get each failed attempt with what was thrown, then hear that the worker has stopped", async () => {
    const failures: FailedAttempt[] = [];
    let stops = 0;

    const { id, texts } = await runOne({
      onFailed: (failed) => void failures.push(failed),
      onStop: () => {
        stops += failures.length;
      },
    });

    expect(failures).toMatchObject([
      { jobId: id, type: "failing", attempt: 1, willRetry: true, failure: { code: "HANDLER_FAILED" } },
      { jobId: id, type: "failing", attempt: 2, willRetry: false },
    ]);
    for (const { error } of failures) expect(error).toBe(thrown);
    expect(stops).toBe(2);
    expect(texts()).toContain("worker ready");
  });

  it("may throw: that is logged without their text, and changes nothing", async () => {
    const { lines, texts } = await runOne({
      onFailed: () => {
        throw new TypeError("hunter2");
      },
      onStop: async () => {
        throw new Error("hunter2");
      },
    });

    expect(texts().filter((text) => text === "onFailed threw; going on")).toHaveLength(2);
    expect(texts().filter((text) => text === "onStop threw; going on")).toHaveLength(1);
    expect(JSON.stringify(lines)).toContain('"fault":"TypeError"');
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });
});

describe("an application's onStop", () => {
  it("is called once, when the last attempt has ended and the worker's own hook has", async () => {
    const [begun, release] = [latch(), latch()];
    const order: string[] = [];
    const closing = defineConfig({
      jobs: [job],
      handlers: async () => [
        job.handler(async () => {
          begun.open();
          await release.opened;
          order.push("attempt");
        }),
      ],
      onStop: async () => void order.push("application"),
    });
    const service = createService(closing);
    const worker = await startWorker(closing, service.env, { onStop: () => void order.push("worker") });
    const producer = await service.createProducer();
    await producer.submit(job, {}, { idempotencyKey: "one" });
    await begun.opened;

    const stopped = Promise.all([worker.stop(), worker.stop()]);
    release.open();
    await stopped;

    expect(order).toEqual(["attempt", "worker", "application"]);
  });

  it("closes what the handlers opened if the worker cannot start, and may throw", async () => {
    let [opened, closed] = [0, 0];
    const { url } = await createService(application).startApi();
    const env = testEnvironment({ HOLDFAST_METRICS_PORT: new URL(url).port });
    const closing = defineConfig({
      jobs: [job],
      handlers: async () => {
        opened += 1;
        return [job.handler(async () => undefined)];
      },
      onStop() {
        closed += 1;
        throw new Error("cannot close");
      },
    });

    await expect(startWorker(closing, env)).rejects.toMatchObject({ code: "START_FAILED" });

    expect([opened, closed]).toEqual([1, 1]);
  });
});
