import { defineConfig, defineJob, PermanentError, type Producer } from "holdfast";
import { createClient } from "holdfast/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { HistoryCounts } from "../../../src/core/history/history-counts.ts";
import type { History, HistoryPoint } from "../../../src/desk/overview/history.ts";
import { get, post } from "../../support/http.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const orders = z.enum(["succeed", "retry", "refuse", "doubt"]);
const job = defineJob({
  type: "obeying",
  payload: orders,
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 1 } },
  timeoutMs: 30_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const other = defineJob({
  type: "other",
  queue: "aside",
  payload: orders,
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 1 } },
  timeoutMs: 30_000,
});
const handler = job.handler(async ({ payload, effect, attempt }) => {
  if (payload === "refuse") throw new PermanentError("refused");
  if (payload === "retry" && attempt === 1) throw new Error("once");
  if (payload === "doubt")
    await effect("act", () => Promise.reject(Object.assign(new Error("lost"), { code: "EPIPE" })));
  return payload;
});
const application = defineConfig({
  jobs: [job, other],
  handlers: async () => [handler, other.handler(async () => "done")],
});

const parts: (() => Promise<void>)[] = [];
const service = createService(application, {}, (stop) => parts.push(stop));
const historyKey = (letter: string, index: number, queue = "default") =>
  `${service.env.HOLDFAST_PREFIX}:{${queue}}:history:${letter}:${index}`;
let url: string;
let producer: Producer;

beforeAll(async () => {
  ({ url } = await service.startApi());
  producer = await service.createProducer();
  const worker = await service.startWorker();
  await obey("succeed", "succeed", "retry", "refuse", "doubt");
  // A stop writes what is counted, as the five seconds do.
  await Promise.all([worker.stop(), producer.stop()]);
});
afterAll(async () => {
  for (const stop of parts) await stop();
});

let keys = 0;
async function obey(...given: readonly z.output<typeof orders>[]): Promise<void> {
  await Promise.all(
    given.map(async (payload) => {
      keys += 1;
      const { id } = await producer.submit(job, payload, { idempotencyKey: `key-${keys}` });
      await untilState(producer, id, "completed", "failed");
    }),
  );
}

async function read(query = ""): Promise<History> {
  return (await get(`${url}/history${query}`)).body as unknown as History;
}

type Counted = {
  [Name in keyof HistoryPoint]: HistoryPoint[Name] extends number ? Name : never;
}[keyof HistoryPoint];

function sum({ points }: History, name: Counted): number {
  return points.reduce((total, point) => total + point[name], 0);
}

describe("the history", () => {
  it("counts what came in and how each attempt ended", async () => {
    const history = await read();

    const found = Object.fromEntries(
      (["submitted", "completed", "retried", "failed", "inDoubt", "expired"] as const).map((name) => [
        name,
        sum(history, name),
      ]),
    );
    expect(found).toEqual({ submitted: 5, completed: 3, retried: 1, failed: 1, inDoubt: 1, expired: 0 });
  });

  it("estimates how long jobs waited and ran", async () => {
    const { points } = await read();

    const counted = points.filter(({ runTime }) => runTime.count > 0);
    expect(counted.reduce((total, { runTime }) => total + runTime.count, 0)).toBe(6);
    expect(counted.reduce((total, { timeToStart }) => total + timeToStart.count, 0)).toBe(5);
    for (const { runTime } of counted) expect(runTime.p50).toBeLessThanOrEqual(runTime.p99 ?? 0);
  });

  it("has a point for each step, and the same counts by the minute and by the hour", async () => {
    const minutes = await read("?step=1m");
    const hours = await read("?step=1h");

    expect(minutes.points).toHaveLength(181);
    expect(minutes.points.map(({ at }) => Date.parse(at) % 60_000)).toEqual(Array(181).fill(0));
    expect(hours.points).toHaveLength(4);
    expect(sum(hours, "completed")).toBe(sum(minutes, "completed"));
  });

  it("selects by queue and by type", async () => {
    expect(sum(await read("?queue=default&type=obeying"), "completed")).toBe(3);
    expect(sum(await read("?queue=aside"), "completed")).toBe(0);
    expect(sum(await read("?type=other"), "completed")).toBe(0);
  });

  it("refuses what it does not have", async () => {
    expect(await get(`${url}/history?queue=absent`)).toMatchObject({
      status: 404,
      body: { code: "QUEUE_NOT_FOUND" },
    });
    for (const query of [
      "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z",
      "step=0m",
      "step=5",
      "from=soon",
      "x=1",
    ])
      expect(await get(`${url}/history?${query}`)).toMatchObject({
        status: 400,
        body: { code: "INVALID_REQUEST" },
      });
  });

  it("shows times of which only the hours are left", async () => {
    const hour = Math.floor(Date.now() / 3_600_000) - 24 * 10;
    const client = service.connect();
    await client.hset(historyKey("h", Math.floor(hour / 24)), `${hour % 24}:obeying`, "c=41,t5=41");

    const history = await read(`?from=${new Date((hour - 1) * 3_600_000).toISOString()}&step=5m`);

    expect(history.stepMs).toBe(3_600_000);
    expect(history.points[1]).toMatchObject({ completed: 41, runTime: { count: 41 } });
  });

  it("keeps minutes for two days and hours for fifteen", async () => {
    const client = service.connect();
    const hour = Math.floor(Date.now() / 3_600_000);
    const lives = async (letter: string, index: number) =>
      // The hour can have changed since.
      Math.max(...(await Promise.all([index, index - 1].map((at) => client.pttl(historyKey(letter, at))))));

    const days = (ms: number) => ms / 86_400_000;
    expect(days(await lives("m", hour))).toBeGreaterThan(2);
    expect(days(await lives("m", hour))).toBeLessThan(2.1);
    expect(days(await lives("h", Math.floor(hour / 24)))).toBeGreaterThan(15);
    expect(days(await lives("h", Math.floor(hour / 24)))).toBeLessThan(16.1);
  });

  it("is added to by several workers at once, and loses nothing", async () => {
    const { createProducer, startApi, startWorker } = createService(application);
    const [{ url }, own, ...workers] = await Promise.all([
      startApi(),
      createProducer(),
      startWorker(),
      startWorker(),
    ]);
    const jobs = Array.from({ length: 100 }, (_, index) => ({
      payload: "succeed" as const,
      idempotencyKey: `${index}`,
    }));
    const receipts = await own.submitMany(job, jobs);
    for (const receipt of receipts) if ("id" in receipt) await untilState(own, receipt.id, "completed");
    await Promise.all(workers.map((worker) => worker.stop()));

    const { body } = await get(`${url}/history`);

    expect(sum(body as unknown as History, "completed")).toBe(100);
  });

  it("writes every few seconds, without a stop", async () => {
    const { createProducer, startApi, startWorker } = createService(application);
    const [{ url }, own] = await Promise.all([startApi(), createProducer(), startWorker()]);
    await own.submit(other, "succeed", { idempotencyKey: "one" });

    await until("it is counted", async () => {
      const { body } = await get(`${url}/history?queue=aside&type=other`);
      const history = body as unknown as History;
      return sum(history, "completed") === 1 && sum(history, "submitted") === 1;
    });
  });

  it("marks starts of workers, pauses and retries of many", async () => {
    await post(`${url}/queues/default/pause`, { reason: "the mail provider is down" });
    await post(`${url}/queues/default/resume`, {});
    await service.startWorker();
    await post(`${url}/jobs/acts`, { act: "retry", filter: { type: "obeying" }, reason: "it is back" });

    const marks = await until("the retry is marked", async () => {
      const { marks: found } = await read("?queue=default");
      return found.some(({ kind }) => kind === "retried") && found;
    });

    expect(marks.map(({ kind, text }) => [kind, text])).toEqual([
      ["started", "workers started"],
      ["paused", "the mail provider is down"],
      ["resumed", ""],
      ["retried", "jobs of type obeying"],
    ]);
  });

  it("is there for the client", async () => {
    const client = createClient({ url });
    const to = new Date();

    const { points, stepMs } = await client.history({ type: "obeying", to, step: "1h" });

    expect(stepMs).toBe(3_600_000);
    expect(points.reduce((total, { completed }) => total + completed, 0)).toBe(3);
  });
});

describe("a histogram", () => {
  it("estimates percentiles within a factor of √2", () => {
    const counts = new HistoryCounts();
    const sorted = Array.from({ length: 5_000 }, (_, index) => 1.002 ** index);
    for (const ms of sorted) counts.runTime.add(ms);

    for (const share of [0.01, 0.5, 0.95, 0.99]) {
      const exact = sorted[Math.floor(share * sorted.length)] ?? 0;
      const ratio = (counts.runTime.percentile(share) ?? 0) / exact;
      expect(ratio, `p${share * 100}`).toBeGreaterThan(1 / Math.SQRT2);
      expect(ratio, `p${share * 100}`).toBeLessThan(Math.SQRT2);
    }
  });

  it("survives being stored, and what a later version adds", () => {
    const counts = new HistoryCounts();
    counts.addAttempt({ outcome: "completed", waitedMs: -5, runMs: 120 });
    counts.addAttempt({ outcome: "inDoubt", waitedMs: undefined, runMs: 1e12 });
    const read = new HistoryCounts();

    read.addText(`${counts},q=7,s99=3,=,nonsense`);

    expect(String(read)).toBe(String(counts));
    expect(read.of("completed")).toBe(1);
    expect(read.runTime.total).toBe(2);
  });
});
