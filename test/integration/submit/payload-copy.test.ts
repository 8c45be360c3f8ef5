/** What was checked when a job was submitted is what is stored, whatever its caller does with the objects afterwards. */

import { defineConfig, defineJob, type Producer } from "holdfast";
import { runHandler } from "holdfast/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { anyJob, echo } from "../../support/application.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";

const moved = anyJob({ type: "moved", queue: "new-home", formerQueues: ["old-home"] });
const book = anyJob({ type: "book" });
const numbered = defineJob({
  type: "numbered",
  payload: z.strictObject({ number: z.number() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 5_000,
});
const fanOut = anyJob({ type: "fan-out" });

const fanOutHandler = fanOut.handler(async (attempt) => {
  const payload = { number: 0 };
  const submitted = [1, 2, 3].map((number) => {
    payload.number = number;
    return attempt.submit(numbered, payload, { name: `number-${number}` });
  });
  payload.number = 99;
  return (await Promise.all(submitted)).map(({ id }) => id);
});

const application = defineConfig({
  jobs: [echo, moved, book, numbered, fanOut],
  handlers: async () => [
    ...[echo, moved, book, numbered].map((job) => job.handler(async ({ payload }) => payload)),
    fanOutHandler,
  ],
});

async function open(variables: Variables = {}) {
  const service = createService(application, variables);
  return { service, producer: await service.createProducer() };
}

async function resultsOf(producer: Producer, ids: readonly string[]): Promise<unknown[]> {
  const done = await Promise.all(ids.map((id) => untilState(producer, id, "completed", "failed")));
  return done.map(({ result, error }) => result ?? error);
}

const key = "hk1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

describe("a payload that its caller changes right after the call", () => {
  it.each([
    ["in the first submissions of a process", echo, {}],
    ["of a type that has moved to another queue", moved, {}],
    ["in an encrypted queue", echo, { HOLDFAST_ENCRYPTION_KEYS: key }],
  ] as const)("is stored as it was, %s", async (_, job, variables) => {
    const { service, producer } = await open(variables);
    const payload = { deep: { number: 0 } };
    const submitted = [1, 2, 3, 4, 5].map((number) => {
      payload.deep.number = number;
      return producer.submit(job, payload, { idempotencyKey: `number-${number}` });
    });
    payload.deep.number = 99;
    const receipts = await Promise.all(submitted);
    await service.startWorker();

    const results = await resultsOf(
      producer,
      receipts.map(({ id }) => id),
    );

    expect(results).toEqual([1, 2, 3, 4, 5].map((number) => ({ deep: { number } })));
    payload.deep.number = 3;
    const again = await producer.submit(job, payload, { idempotencyKey: "number-3" });
    expect(again).toMatchObject({ id: receipts[2]?.id, duplicate: true });
  });

  it("is stored as it was in each of many submissions, also in those that wait for their turn", async () => {
    const { service, producer } = await open();
    const payloads = Array.from({ length: 300 }, (_, number) => ({ number }));
    const submissions = payloads.map((payload, index) => ({ payload, idempotencyKey: `number-${index}` }));
    const submitted = producer.submitMany(echo, submissions);
    for (const payload of payloads) payload.number = 999;
    submissions.length = 0;
    const results = await submitted;
    await service.startWorker();

    const ids = results.map((result) => ("id" in result ? result.id : String(result)));

    expect(ids).toHaveLength(300);
    expect(await resultsOf(producer, ids)).toEqual(ids.map((_, number) => ({ number })));
  });

  it.each([3, 450])("is stored as it was in a flow of %i children", async (count) => {
    const { service, producer } = await open();
    const [parent, payload] = [{ title: "as submitted" }, { number: 0 }];
    const payloads = Array.from({ length: count }, (_, number) => ({ number, payload }));
    const submitted = producer.submitFlow({
      parent: { job: book, payload: parent, idempotencyKey: "book" },
      children: payloads.map((payload) => ({ job: echo, payload })),
    });
    parent.title = "changed";
    for (const each of payloads) each.number = 999;
    const { id } = await submitted;
    await service.startWorker();

    expect(await resultsOf(producer, [id])).toEqual([{ title: "as submitted" }]);
    const operator = await service.createOperator();
    const { jobs } = await operator.list({ type: "echo", limit: 100 });
    const numbers = new Set(jobs.map(({ result }) => (result as { number: number }).number));
    expect(numbers).not.toContain(999);
    expect(numbers.size).toBe(Math.min(count, 100));
  });

  it("is stored as it was when a handler submits it", async () => {
    const { service, producer } = await open();
    await service.startWorker();
    const { id } = await producer.submit(fanOut, null, { idempotencyKey: "fan-out" });

    const [ids] = await resultsOf(producer, [id]);

    expect(await resultsOf(producer, ids as string[])).toEqual([1, 2, 3].map((number) => ({ number })));
  });

  it("is recorded as it was in a test of a handler", async () => {
    const { submitted } = await runHandler(fanOutHandler, null);

    expect(submitted.map(({ payload }) => payload)).toEqual([1, 2, 3].map((number) => ({ number })));
  });
});
