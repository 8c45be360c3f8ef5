import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Operator } from "holdfast";
import type { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { cancelJob } from "../../../src/core/bullmq/end/cancel-job.ts";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { countOf } from "../../../src/desk/acts/act-matches.ts";
import { openJobLists } from "../../../src/desk/jobs/job-lists.ts";
import { application, echo, gated } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { addFailedCopies } from "../../support/job-copies.ts";
import { withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { createService, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

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
  const operator = await service.createOperator();
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

/** Lists have no order within a millisecond. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await until("a millisecond has passed", () => Date.now() > now);
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
    // Other files' tests use the same server.
    expect((await readCalls(store)) - before).toBeLessThan(FAILED / 4);
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
    // A look has a time limit, which a busy machine can need for fewer.
    const seen = await until("a look has seen all", async () => {
      const { matching } = await operator.acts.preview({ act: "retry", filter: {}, all: true });
      return countOf(matching) >= FAILED - 1 && countOf(matching);
    });
    expect(seen).toBe(FAILED - 1);
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

  it("finds a part of a key in a submission's key alone, in every state, also in an encrypted Redis", async () => {
    const encrypted = { HOLDFAST_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString("base64")}` };
    for (const variables of [{}, encrypted]) {
      const service = createService(application, variables);
      const producer = await service.createProducer();
      const submit = (payload: unknown, idempotencyKey: string) =>
        producer.submit(echo, payload, { idempotencyKey });
      const { id: quoted } = await submit(1, 'order "Größe" 7');
      const { id: last } = await submit(2, "order-8");
      await submit({ note: "order-8" }, "other");
      await cancelJob(plainStores(service.connect(), service.env.HOLDFAST_PREFIX).of("default"), last);
      const operator = await service.createOperator();
      const found = async (keyPart: string) => (await pagesOf(operator, { keyPart, limit: 5 })).ids;
      expect(await found('"Größe" 7')).toEqual([quoted]);
      expect(await found("rder-8")).toEqual([last]);
      expect(await found("ORDER")).toEqual([]);
      const page = await operator.list({ keyPart: "order", limit: 1, total: true });
      expect(page).toMatchObject({ total: { count: 2, isExact: true } });
      const { matching } = await operator.acts.preview({ act: "cancel", filter: { keyPart: "order" } });
      expect(countOf(matching)).toBe(1);
    }
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

  it("is exported whole as CSV and NDJSON, over HTTP and from the command line, without formulas", async () => {
    const { service, producer } = await failedJobs();
    await producer.submit(echo, 1, { idempotencyKey: '=HYPERLINK("https://x.example","a,b")' });
    const { url } = await service.startApi();
    const exported = async (query: string) => {
      const answer = await fetch(`${url}/jobs/export?${query}`);
      return {
        type: answer.headers.get("content-type"),
        lines: (await answer.text()).trimEnd().split(/\r?\n/),
      };
    };

    const csv = await exported("state=failed&format=csv");
    expect(csv.type).toMatch(/^text\/csv/);
    expect(csv.lines).toHaveLength(1 + FAILED);
    expect(csv.lines[0]).toMatch(/^id,type,state,idempotencyKey,/);
    expect((await exported("state=waiting")).lines[2]).toContain(
      `,"'=HYPERLINK(""https://x.example"",""a,b"")",`,
    );

    const rare = ["--state", "failed", "--code", "PERMANENT_FAILURE"];
    const ndjson = await exported("state=failed&code=PERMANENT_FAILURE&format=ndjson");
    expect(ndjson.lines.map((line) => JSON.parse(line).error.code)).toEqual(
      Array(RARE).fill("PERMANENT_FAILURE"),
    );
    const { stdout } = await run(["jobs", "export", ...rare, "--format", "ndjson"], service.env);
    expect(stdout.trimEnd().split("\n")).toEqual(ndjson.lines);
    expect((await get(`${url}/jobs/export?format=xlsx`)).body).toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("is exported once for each of several requests that a connection sends together", async () => {
    const { service } = await failedJobs();
    const { hostname, port } = new URL((await service.startApi()).url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    const head = `GET /jobs/export?state=failed HTTP/1.1\r\nHost: ${hostname}:${port}\r\n`;

    socket.write(`${head}\r\n${head}\r\n${head}Connection: close\r\n\r\n`);

    expect((await text(socket)).match(/^default_/gm)).toHaveLength(3 * FAILED);
  });

  it("matches a part of the message in any case, and counts what matches", async () => {
    const { operator } = await failedJobs();
    const query = { errorText: "IT BROKE", limit: 50 } as const;
    expect((await operator.list(query)).jobs).toHaveLength(50);
    const { total } = await operator.list({ code: "HANDLER_FAILED", limit: 1, total: true });
    expect(total).toEqual({ count: FAILED - RARE, isExact: true });
    expect(await operator.list({ errorText: "it broke entirely", limit: 5 })).toMatchObject({ jobs: [] });
    // Part of the code, not of the message.
    expect(await operator.list({ errorText: "HANDLER", limit: 5 })).toMatchObject({ jobs: [] });
  });

  it("matches the message of jobs in an encrypted Redis, and other letters than a to z", async () => {
    const { operator, store, start } = await failedJobs({
      HOLDFAST_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString("base64")}`,
    });
    const [first = ""] = await store.zrange(`${start}failed`, "0", "0");
    await store.hset(`${start}${first}`, "failedReason", "HANDLER_FAILED: Größe überschritten");
    const found = (errorText: string) => pagesOf(operator, { errorText, limit: 5 });
    expect((await found("GRÖSSE")).ids).toEqual([]);
    expect((await found("größe ÜBER")).ids).toEqual([first]);
  });

  it("reads only those that ended in a time, and excludes its end", async () => {
    const { operator, store, start } = await failedJobs();
    const [, from = "", , to = ""] = await store.zrange(`${start}failed`, "1000", "1001", "WITHSCORES");
    const until = Number(to) + 9;
    const page = await operator.list({ endedFrom: Number(from), endedTo: until, limit: 50, total: true });
    const ended = page.jobs.map(({ finishedAt }) => Date.parse(finishedAt ?? ""));
    expect(ended.length).toBeGreaterThan(0);
    expect(ended.every((at) => at >= Number(from) && at < until)).toBe(true);
    expect(page.scanned).toBeLessThan(20);
    expect(page.total).toEqual({ count: ended.length, isExact: true });
  });

  it("counts states exactly without reading them", async () => {
    const { operator } = await failedJobs();
    const { total } = await operator.list({ state: "failed", limit: 1, total: true });
    expect(total).toMatchObject({ count: FAILED, isExact: true, kinds: { failed: FAILED } });
    expect((await operator.list({ queue: "default", limit: 1, total: true })).total?.count).toBe(FAILED + 1);
  });

  it("refuses an unknown queue and code", async () => {
    const { service, operator } = await failedJobs();
    await expect(operator.list({ queue: "defualt", limit: 1 })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    const { url } = await service.startApi();
    expect(await get(`${url}/jobs?code=NOPE`)).toMatchObject({ status: 400 });
  });
});

describe("the order of a list", () => {
  it("can be turned round, page by page, for jobs in every state", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const submit = async (name: string, options: object) => {
      const ids: string[] = [];
      for (let at = 0; at < 7; at += 1) {
        const idempotencyKey = `${name}-${at}`;
        ids.push((await producer.submit(echo, at, { idempotencyKey, tags: ["turned"], ...options })).id);
        await nextMillisecond();
      }
      return ids;
    };
    const ofState = {
      waiting: await submit("waiting", {}),
      delayed: await submit("delayed", { delayMs: 60_000 }),
      prioritized: await submit("prioritized", { priority: 5 }),
      failed: await submit("failed", {}),
    };
    const store = plainStores(service.connect(), service.env.HOLDFAST_PREFIX).of("default");
    for (const id of ofState.failed) {
      await cancelJob(store, id);
      await nextMillisecond();
    }
    const operator = await service.createOperator();
    for (const [state, ids] of Object.entries(ofState)) {
      const query = { state: state as keyof typeof ofState, limit: 3 };
      // To people those wait, too.
      const lists = state === "waiting" ? [ids, ofState.prioritized] : [ids];
      expect((await pagesOf(operator, { ...query, order: "oldest" })).ids, state).toEqual(lists.flat());
      const newest = { ...query, order: "newest" } as const;
      const turned = lists.flatMap((list) => [...list].reverse());
      expect((await pagesOf(operator, newest)).ids, state).toEqual(turned);
    }
    const tagged = { tag: "turned", limit: 5, order: "oldest" } as const;
    const { jobs } = await operator.list(tagged);
    expect(jobs.map(({ id }) => id)).toEqual(ofState.waiting.slice(0, 5));

    const first = await operator.list({ state: "waiting", limit: 3, order: "newest" });
    const cursor = first.nextCursor ?? "";
    await submit("later", {});
    await expect(operator.list({ state: "waiting", limit: 3, cursor })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    // Those that joined meanwhile are before it.
    const { ids } = await pagesOf(operator, { state: "waiting", limit: 3, order: "newest" });
    expect(ids).toHaveLength(21);
    const rest = await operator.list({ state: "waiting", limit: 9, order: "newest", cursor });
    const after = [...[...ofState.waiting].reverse().slice(3), ...[...ofState.prioritized].reverse()];
    expect(rest.jobs.map(({ id }) => id)).toEqual(after.slice(0, 9));
    const { stdout } = await run(
      ["jobs", "list", "--state", "delayed", "--order", "newest", "--limit", "1", "--json"],
      service.env,
    );
    expect(JSON.parse(stdout)).toMatchObject({ id: ofState.delayed.at(-1) });
  });
});

describe("a walk through a list", () => {
  /** Waiting jobs, and a walk through them. */
  async function waitingJobs(count: number) {
    const service = createService(application);
    const producer = await service.createProducer();
    const submitted = await Promise.all(
      Array.from({ length: count }, (_, at) => producer.submit(echo, at, { idempotencyKey: `w-${at}` })),
    );
    const redis = service.connect();
    const stores = plainStores(redis, service.env.HOLDFAST_PREFIX);
    return {
      ids: submitted.map(({ id }) => id),
      redis,
      stores,
      wait: queueKey(service.env.HOLDFAST_PREFIX, "default", "wait"),
      lists: openJobLists(stores, application),
    };
  }

  it("of waiting jobs meets each, though all that it has met leave the list", async () => {
    const { ids, stores, lists } = await waitingJobs(120);
    const met: string[] = [];
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const slice = await lists.ids({ type: "echo" }, { limit: 17, cursor, states: ["waiting", "delayed"] });
      for (const id of slice.found) await cancelJob(stores.of("default"), id);
      met.push(...slice.found);
      cursor = slice.nextCursor;
    }
    expect(new Set(met)).toEqual(new Set(ids));
    expect(met).toHaveLength(ids.length);
  });

  it("of waiting jobs goes on behind those that workers have claimed in between", async () => {
    const { ids, redis, wait, lists } = await waitingJobs(60);
    const filter = { state: "waiting" } as const;
    const first = await lists.ids(filter, { limit: 10 });
    for (let claimed = 0; claimed < 25; claimed += 1) await redis.rpop(wait);
    const rest = await lists.ids(filter, { limit: 100, cursor: first.nextCursor ?? "" });
    expect(new Set([...first.found, ...rest.found])).toEqual(
      new Set([...ids.slice(0, 10), ...ids.slice(25)]),
    );
    expect(rest.found).toHaveLength(35);
  });

  for (const order of ["oldest", "newest"] as const)
    it(`of running jobs, the ${order} first, meets all that run throughout, though others end and begin in any order`, async () => {
      const { ids, redis, wait, lists } = await waitingJobs(299);
      const active = wait.replace(/wait$/, "active");
      await redis.rename(wait, active);
      const stay = ids.filter((_, at) => at % 3 === 0);
      const leave = ids.filter((_, at) => at % 3 !== 0);
      const met: string[] = [];
      for (let cursor: string | undefined | null; cursor !== null; ) {
        const slice = await lists.ids({ state: "active" }, { limit: 20, cursor, order });
        met.push(...slice.found);
        cursor = slice.nextCursor;
        // Some that were met, and some that were not; half of them run again at once.
        for (const [at, id] of [...leave.splice(0, 4), ...leave.splice(-4)].entries()) {
          await redis.lrem(active, 1, id);
          if (at % 2 === 0) await redis.lpush(active, id);
        }
      }
      expect(stay.filter((id) => !met.includes(id))).toEqual([]);
      expect(new Set(met).size).toBe(met.length);
    });

  it("of waiting jobs, the newest first, goes on where it was though the next one leaves, and says where it cannot know", async () => {
    const { redis, wait, stores, lists } = await waitingJobs(100);
    const newest = { limit: 20, order: "newest" } as const;
    const all = await redis.lrange(wait, 0, -1);
    const first = await lists.ids({ state: "waiting" }, newest);
    await cancelJob(stores.of("default"), all[20] ?? "");
    const second = await lists.ids({ state: "waiting" }, { ...newest, cursor: first.nextCursor ?? "" });
    expect(second).toMatchObject({ found: all.slice(21, 41), mayMiss: false });

    for (const id of all.slice(40, 42)) await cancelJob(stores.of("default"), id);
    const third = await lists.ids({ state: "waiting" }, { ...newest, cursor: second.nextCursor ?? "" });
    expect(third.mayMiss).toBe(true);
  });

  it("of waiting jobs, the newest first, ends though workers claim and retry them all the time", async () => {
    const { redis, wait, lists } = await waitingJobs(60);
    const newest = { limit: 20, order: "newest" } as const;
    const first = await lists.ids({ state: "waiting" }, newest);
    for (let claimed = 0; claimed < 50; claimed += 1) {
      const id = (await redis.rpop(wait)) ?? "";
      await redis.hincrby(wait.replace(/wait$/, id), "ats", 1);
      await redis.lpush(wait, id);
    }
    const rest = await lists.ids({ state: "waiting" }, { ...newest, cursor: first.nextCursor ?? "" });
    expect(rest).toMatchObject({ found: [], nextCursor: null, mayMiss: false });
  });

  it("of ended jobs meets each once, though those before it and the last one leave", async () => {
    const { store, start, operator, service } = await failedJobs();
    const lists = openJobLists(plainStores(service.connect(), service.env.HOLDFAST_PREFIX), application);
    const met: string[] = [];
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const slice = await lists.ids({ state: "failed" }, { limit: 400, cursor });
      met.push(...slice.found);
      cursor = slice.nextCursor;
      if (cursor === null) break;
      await store.zrem(`${start}failed`, ...slice.found.slice(-150));
      // Ended anew, it is in front.
      await store.zadd(`${start}failed`, Date.now() + 1_000, slice.found[0] ?? "");
    }
    expect(met).toHaveLength(FAILED);
    expect(new Set(met).size).toBe(FAILED);
    await operator.stop();
  });
});
