import { Worker } from "bullmq";
import { type Child, createOperator, defineConfig, defineJob, PermanentError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { bullmqQueueName, queueKeys } from "../../src/queue/queue-keys.ts";
import { createService, untilState, type Variables } from "../support/service.ts";
import { until } from "../support/until.ts";

const retry = { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } } as const;

/** An application that renders chapters and binds them. A chapter named "bad" fails until it is mended. */
function library(variables: Variables = {}) {
  const mended = { isBad: true };
  const read: Child[] = [];
  const render = defineJob({
    type: "render",
    payload: z.strictObject({ chapter: z.string() }),
    result: z.strictObject({ pages: z.int() }),
    retry,
    timeoutMs: 20_000,
  });
  const bind = defineJob({
    type: "bind",
    payload: z.strictObject({ title: z.string() }),
    result: z.strictObject({ pages: z.int(), missing: z.array(z.string()) }),
    retry,
    timeoutMs: 60_000,
  });
  const handlers = [
    render.handler(async ({ payload: { chapter } }) => {
      if (chapter === "bad" && mended.isBad) throw new PermanentError("no ink");
      return { pages: chapter.length };
    }),
    bind.handler(async ({ children }) => {
      read.length = 0;
      for await (const child of children()) read.push(child);
      read.sort((a, b) => a.index - b.index);
      const pages = read.map(({ result }) => (result as { pages: number } | undefined)?.pages ?? 0);
      return {
        pages: pages.reduce((sum, count) => sum + count, 0),
        missing: read.filter(({ state }) => state === "failed").map(({ name }) => name),
      };
    }),
  ];
  const application = defineConfig({ jobs: [render, bind], handlers: async () => handlers });
  const service = createService(application, variables);
  const flowOf = (title: string, ...chapters: string[]) => ({
    parent: { job: bind, payload: { title }, idempotencyKey: title },
    children: chapters.map((chapter) => ({ job: render, payload: { chapter }, name: chapter })),
  });
  return { application, service, read, mended, render, bind, flowOf };
}

describe("a flow", () => {
  it("runs its parent when its children have ended, and gives it their results", async () => {
    const { service, read, flowOf } = library();
    const producer = await service.createProducer();
    const { id, duplicate, children } = await producer.submitFlow(flowOf("book", "one", "three"));
    expect({ duplicate, children }).toEqual({ duplicate: false, children: 2 });
    expect(await producer.status(id)).toMatchObject({
      state: "waiting-children",
      children: { total: 2, waiting: 2, completed: 0, failed: 0 },
    });

    await service.startWorker();
    const { result } = await untilState(producer, id, "completed");
    expect(result).toEqual({ pages: 8, missing: [] });
    expect(read).toMatchObject([
      { type: "render", name: "one", index: 0, state: "completed", result: { pages: 3 } },
      { type: "render", name: "three", index: 1, state: "completed", result: { pages: 5 } },
    ]);
    expect(await producer.status(read[0]?.id ?? "")).toMatchObject({ state: "completed", parentId: id });
  });

  it("fails its parent at once if a child fails", async () => {
    const { service, flowOf } = library();
    const producer = await service.createProducer();
    const { id } = await producer.submitFlow(flowOf("book", "one", "bad"));
    await service.startWorker();
    const status = await untilState(producer, id, "failed");
    expect(status.error).toMatchObject({ code: "CHILD_FAILED", retryable: false });
  });

  it("runs its parent with the failure of a child if it says so", async () => {
    const { service, read, flowOf } = library();
    const producer = await service.createProducer();
    const { id } = await producer.submitFlow({ ...flowOf("book", "bad", "one"), onChildFailure: "continue" });
    await service.startWorker();
    const { result } = await untilState(producer, id, "completed");
    expect(result).toEqual({ pages: 3, missing: ["bad"] });
    expect(read[0]?.error).toMatchObject({ code: "PERMANENT_FAILURE", message: "no ink" });
  });
});
