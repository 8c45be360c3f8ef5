import { randomBytes } from "node:crypto";
import { createOperator, type Operator } from "holdfast";
import type { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { countOf } from "../../src/operate/act-matches.ts";
import { queueKey } from "../../src/queue/queue-keys.ts";
import { application, echo, gated } from "../support/application.ts";
import { addFailedCopies } from "../support/failed-copies.ts";
import { get } from "../support/http.ts";
import { run, withProcesses } from "../support/processes.ts";
import { createService, type Variables } from "../support/service.ts";

const FAILED = 6_000;
const EVERY = 1_000;
const RARE = FAILED / EVERY;

type Query = Parameters<Operator["list"]>[0];

async function failedJobs(variables: Variables = {}) {
  const service = createService(application, variables);
  const producer = await service.createProducer();
  const { id } = await producer.submit(echo, 1, { idempotencyKey: "original" });
  const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
  const store = service.connect();
  await addFailedCopies(store, start, id, { count: FAILED, every: EVERY, reason: "PERMANENT_FAILURE: no" });
  const operator = await createOperator(application, service.env);
  onTestFinished(() => operator.stop());
  return { service, producer, operator, store, start };
}

/** Every page of a list, and the number of pages. */
async function pagesOf(operator: Operator, query: Omit<Query, "cursor">) {
  const ids: string[] = [];
  let [pages, scanned] = [0, 0];
  for (let cursor: string | undefined | null; cursor !== null; pages += 1) {
    const page = await operator.list({ ...query, cursor });
    ids.push(...page.jobs.map(({ id }) => id));
    scanned += page.scanned;
    cursor = page.nextCursor;
  }
  return { ids, pages, scanned };
}

async function readCalls(store: Redis): Promise<number> {
  const stats = await store.info("commandstats");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe("a list of jobs filtered by the reason of failure", withProcesses, () => {
  it("finds rare ones among thousands in one page, and reports how many it read", async () => {
    const { operator, store } = await failedJobs();
    const rare = { state: "failed", type: "echo", code: "PERMANENT_FAILURE" } as const;
    const before = await readCalls(store);

    const page = await operator.list({ ...rare, limit: 50 });

    expect(page.jobs.map(({ error }) => error?.code)).toEqual(Array(RARE).fill("PERMANENT_FAILURE"));
    expect(page).toMatchObject({ nextCursor: null, scanned: FAILED });
    expect((await readCalls(store)) - before).toBeLessThan(20);
    const { ids } = await pagesOf(operator, { ...rare, limit: 4 });
    expect(ids).toEqual(page.jobs.map(({ id }) => id));
  });

  it("lists each of the others once, over several pages", async () => {
    const { operator } = await failedJobs();
    const { ids, pages } = await pagesOf(operator, { state: "failed", code: "HANDLER_FAILED", limit: 200 });
    expect(new Set(ids).size).toBe(FAILED - RARE);
    expect(ids).toHaveLength(FAILED - RARE);
    expect(pages).toBeLessThanOrEqual((FAILED - RARE) / 200 + 1);
  });

  it("counts an unknown reason as the handler's failure, as everywhere else", async () => {
    const { operator, store, start } = await failedJobs();
    const [first = "", second = "", third = ""] = await store.zrange(`${start}failed`, "1", "3");
    await store.hset(`${start}${first}`, "failedReason", "job stalled more than allowable limit");
    await store.hset(`${start}${second}`, "failedReason", "ENOENT: no such file");
    await store.hset(`${start}${third}`, "failedReason", "CANCELLED: Cancelled by an operator");

    const { ids } = await pagesOf(operator, { state: "failed", code: "HANDLER_FAILED", limit: 200 });

    expect([first, second, third].map((id) => ids.includes(id))).toEqual([true, true, false]);
  });

  it("finds them in an encrypted Redis, because only the message is encrypted", async () => {
    const { operator } = await failedJobs({
      HOLDFAST_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString("base64")}`,
    });
    const { jobs } = await operator.list({ state: "failed", code: "PERMANENT_FAILURE", limit: 50 });
    expect(jobs).toHaveLength(RARE);
  });

  it("continues correctly after listed jobs have left the list", async () => {
    const { operator } = await failedJobs();
    const query = { state: "failed", code: "PERMANENT_FAILURE", limit: 2 } as const;
    const all = await pagesOf(operator, { ...query, limit: 200 });
    const first = await operator.list(query);
    await operator.retry(first.jobs[0]?.id ?? "");
    const second = await operator.list({ ...query, cursor: first.nextCursor ?? "" });
    expect(second.jobs.map(({ id }) => id)).toEqual(all.ids.slice(2, 4));
  });

  it("skips entries without a job or without a readable time", async () => {
    const { operator, store, start } = await failedJobs();
    const [odd = "", timeless = ""] = await store.zrange(`${start}failed`, "1", "2");
    await store.set(`${start}${odd}`, "no hash");
    await store.hset(`${start}${timeless}`, "timestamp", "soon");
    const { ids } = await pagesOf(operator, { state: "failed", code: "HANDLER_FAILED", from: 1, limit: 200 });
    expect(ids).toHaveLength(FAILED - RARE - 2);
    const { matching } = await operator.acts.preview({ act: "retry", filter: {}, all: true });
    expect(countOf(matching)).toBe(FAILED - 1);
  });

  it("contains no completed job, even after failed attempts", async () => {
    const { operator } = await failedJobs();
    expect(await operator.list({ state: "completed", code: "HANDLER_FAILED", limit: 50 })).toEqual({
      jobs: [],
      nextCursor: null,
      scanned: 0,
    });
  });

  it("filters waiting jobs by type and time, too", async () => {
    const { operator, producer } = await failedJobs();
    await Promise.all(
      Array.from({ length: 300 }, (_, at) => producer.submit(echo, at, { idempotencyKey: `waits-${at}` })),
    );
    const { id } = await producer.submit(gated, "http://127.0.0.1:9", { idempotencyKey: "gated" });
    const page = await operator.list({ state: "waiting", type: "gated", limit: 50 });
    expect(page.jobs.map((job) => job.id)).toEqual([id]);
    const none = await operator.list({ state: "waiting", to: Date.now() - 60_000, limit: 50 });
    expect(none).toMatchObject({ jobs: [], nextCursor: null });
  });

  it("works over HTTP and from the command line", async () => {
    const { service } = await failedJobs();
    const { url } = await service.startApi();
    const { body } = await get(`${url}/jobs?state=failed&code=PERMANENT_FAILURE`);
    expect(body).toMatchObject({ jobs: Array(RARE).fill({}), nextCursor: null, scanned: FAILED });
    const { stdout } = await run(
      ["jobs", "list", "--state", "failed", "--code", "PERMANENT_FAILURE", "--json"],
      service.env,
    );
    expect(stdout.trimEnd().split("\n")).toHaveLength(RARE);
  });
});
