import { createProducer } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { anyJob } from "../../support/application.ts";
import { post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const logged: string[] = [];
const logger = pino(
  { level: "debug", base: { role: "worker" } },
  { write: (line: string) => void logged.push(line) },
);
const linesOf = (jobId: string) => logged.filter((line) => line.includes(jobId));
const parsed = (jobId: string) => linesOf(jobId).map((line) => JSON.parse(line) as Record<string, unknown>);

const failing = anyJob({
  type: "always-failing",
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 20 } },
});
const talking = anyJob({ type: "talking" });

const application = applicationOf(
  failing.handler(async () => {
    throw new Error("no");
  }),
  talking.handler(async ({ log }) => {
    log.info("halfway", { step: 2, jobId: "mine", level: 7, msg: "mine", time: "mine", type: "mine" });
    log.warn("alone");
    return null;
  }),
);

async function open() {
  const service = createService(application);
  const producer = await createProducer(application, service.env, { logger });
  const worker = await startWorker(application, service.env, { logger });
  onTestFinished(() => Promise.all([worker.stop(), producer.stop()]).then(() => {}));
  return { service, producer };
}

describe("a log", () => {
  it("tells the attempt after which a job has failed from those that are retried", async () => {
    const { producer } = await open();
    const { id } = await producer.submit(failing, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "failed");

    const ends = parsed(id).filter(({ code }) => code === "HANDLER_FAILED");
    expect(ends).toMatchObject([
      { level: 40, msg: "attempt failed", attempt: 1, willRetry: true },
      { level: 50, msg: "job failed", attempt: 2, willRetry: false },
    ]);
  });

  it("has no name twice, whatever a handler calls its fields, and keeps the fields with the job", async () => {
    const { service, producer } = await open();
    const { id } = await producer.submit(talking, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "completed");

    const [line = ""] = linesOf(id).filter((each) => each.includes("halfway"));
    const names = [...line.matchAll(/"([^"]+)":/g)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(JSON.parse(line)).toMatchObject({
      level: 30,
      jobId: id,
      type: "talking",
      msg: "halfway",
      step: 2,
      "handler.jobId": "mine",
      "handler.msg": "mine",
    });
    const operator = await service.createOperator();
    const { logs } = (await operator.detail(id)) ?? { logs: [] };
    expect(logs).toEqual([
      expect.stringMatching(/ info halfway \{"step":2,"jobId":"mine",/),
      expect.stringMatching(/ warn alone$/),
    ]);
  });

  it("has accepted submissions at debug, of the API and of a producer with a logger", async () => {
    const { service, producer } = await open();
    const { id } = await producer.submit(talking, 1, { idempotencyKey: "k" });
    expect(parsed(id)).toContainEqual(
      expect.objectContaining({
        level: 20,
        msg: "job accepted",
        jobId: id,
        type: "talking",
        duplicate: false,
      }),
    );
    const { url, stop } = await startApi(application, service.env, { logger });
    onTestFinished(stop);

    const submission = { type: "talking", payload: 2, idempotencyKey: "l" };
    const { body } = await post(`${url}/jobs`, submission);
    await post(`${url}/jobs`, submission);

    const accepted = parsed(body.id).filter(({ msg }) => msg === "job accepted");
    expect(accepted).toMatchObject([{ duplicate: false }, { duplicate: true }]);
  });
});
