import { randomBytes } from "node:crypto";
import { Worker } from "bullmq";
import { describe, expect, it, onTestFinished } from "vitest";
import { dedupKeyOf, effectKeyOf } from "../../../src/core/job/dedup-key.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { HOUR_MS, openIndexing, promote } from "../../support/indexing.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("a submission with the debounce key of a job that waits for its time", () => {
  it("replaces its payload and moves it: one run, of the latest, under the latest key", async () => {
    const { submit, producer, startWorker, ran } = await openIndexing();
    const first = await submit("first");
    const before = (await producer.status(first.id))?.nextAttemptAt ?? "";
    const second = await submit("second", 2 * HOUR_MS);
    const after = (await producer.status(first.id))?.nextAttemptAt ?? "";
    expect(Date.parse(after) - Date.parse(before)).toBeGreaterThanOrEqual(HOUR_MS);
    const third = await submit("third", 1);

    expect([first.duplicate, second.duplicate, third.duplicate]).toEqual([false, false, false]);
    expect([first.replaces, second.replaces, third.replaces]).toEqual([undefined, true, true]);
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    expect(await producer.status(first.id)).toMatchObject({ replaced: 2 });
    await startWorker();
    await untilState(producer, first.id, "completed");
    const effectKey = effectKeyOf(dedupKeyOf("index", "third"), "write");
    expect(ran).toEqual([{ text: "third", key: "third", effectKey }]);
  });

  it("leaves jobs of other debounce keys and types alone, and of none", async () => {
    const { submit, job, producer } = await openIndexing();
    const ids = [
      await submit("one"),
      await submit("two", HOUR_MS, { debounce: { key: "document-8", ms: HOUR_MS } }),
      await producer.submit(job, { text: "three" }, { idempotencyKey: "three", delayMs: HOUR_MS }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
  });

  it("never makes it wait for longer than maxMs after the first one", async () => {
    const { submit, producer } = await openIndexing();
    const debounce = { key: "document-7", ms: HOUR_MS, maxMs: HOUR_MS };
    const { id } = await submit("first", HOUR_MS, { debounce });
    const before = Date.parse((await producer.status(id))?.nextAttemptAt ?? "");
    await until("a millisecond has passed", () => Date.now() > before - HOUR_MS + 1);
    await submit("second", HOUR_MS, { debounce });
    expect(Date.parse((await producer.status(id))?.nextAttemptAt ?? "")).toBe(before);
    await submit("third", 5, { debounce: { key: "document-7", ms: 5, maxMs: 5 } });
    expect(await producer.status(id)).toMatchObject({ state: "delayed", replaced: 2 });
    expect(Date.parse((await producer.status(id))?.nextAttemptAt ?? "")).toBeLessThan(before);
  });

  it("counts in everything: its priority and tags are the job's, and those before are not", async () => {
    const { submit, producer, createOperator, startWorker, ran, connect, keys } = await openIndexing();
    // As where ended jobs have a budget of bytes.
    await connect().hset(`${keys.start}budget`, "completed:index", 1);
    const { id } = await submit("first", HOUR_MS, { tags: ["draft", "both"], priority: 9 });
    await submit("second", 1, { tags: ["both", "final"], priority: 3, startWithinMs: HOUR_MS });

    expect(await producer.status(id)).toMatchObject({ tags: ["both", "final"], replaced: 1 });
    expect(await connect().zcard(keys.own("tag:draft"))).toBe(0);
    const operator = await createOperator();
    const taggedWith = async (tag: string) =>
      (await operator.list({ tag, limit: 9 })).jobs.map((job) => job.id);
    expect([await taggedWith("draft"), await taggedWith("both"), await taggedWith("final")]).toEqual([
      [],
      [id],
      [id],
    ]);
    expect(await operator.detail(id)).toMatchObject({ priority: 3, payload: { text: "second" } });
    await startWorker();
    await untilState(producer, id, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["second"]);
  });
});

describe("a job that waits in line", () => {
  it.each([0, 5])("is replaced, and keeps its place: of priority %i", async (priority) => {
    const { submit, producer, startWorker, ran, openBareQueue, ...service } = await openIndexing();
    const { id } = await submit("first", HOUR_MS, { priority });
    await promote({ openBareQueue, ...service, startWorker }, id);
    expect(await submit("second", HOUR_MS, { priority })).toMatchObject({ id, replaces: true });

    expect(await producer.status(id)).toMatchObject({ state: priority === 0 ? "waiting" : "prioritized" });
    await startWorker();
    await untilState(producer, id, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["second"]);
  });

  it("is moved where the new submission belongs elsewhere", async () => {
    const { submit, producer, startWorker, ran, ...service } = await openIndexing();
    const { id } = await submit("first");
    await promote({ ...service, startWorker }, id);
    await submit("second", 1, { priority: 5 });

    expect(await service.connect().llen(service.keys.waiting)).toBe(0);
    await startWorker();
    await untilState(producer, id, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["second"]);
  });

  it("is replaced while the queue's rate holds it back", async () => {
    const { submit, job, producer, startWorker, ran, ...service } = await openIndexing({ rate: "1/1h" });
    const limiter = `${service.keys.start}limiter`;
    await startWorker();
    const { id: before } = await producer.submit(job, { text: "before" }, { idempotencyKey: "before" });
    await untilState(producer, before, "completed");
    const { id } = await submit("first");
    await promote({ ...service, startWorker }, id);
    await until("the rate is used up", async () => (await service.connect().pttl(limiter)) > 0);
    expect(await submit("second")).toMatchObject({ id, replaces: true });
    expect(await producer.status(id)).toMatchObject({ state: "waiting", replaced: 1 });
    expect(ran.map(({ text }) => text)).toEqual(["before"]);
  });

  it("is replaced while its lane holds it, and keeps its turn", async () => {
    const { submit, job, producer, startWorker, ran } = await openIndexing({ hasLanes: true });
    await producer.submit(job, { text: "before" }, { idempotencyKey: "before" });
    const { id } = await submit("first", 1);
    const { id: after } = await producer.submit(job, { text: "after" }, { idempotencyKey: "after" });
    expect(await submit("second", 1)).toMatchObject({ id, replaces: true });

    expect(await producer.status(id)).toMatchObject({ held: { behind: 1 }, replaced: 1 });
    await startWorker();
    for (const each of [id, after]) await untilState(producer, each, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["before", "second", "after"]);
  });

  it("changes its lane where the new payload has another one", async () => {
    const { submit, job, producer, startWorker, ran } = await openIndexing({ hasLanes: true });
    const { id } = await submit("first", HOUR_MS, { lane: "a" });
    const { id: next } = await producer.submit(
      job,
      { text: "next", lane: "a" },
      { idempotencyKey: "next", delayMs: 1 },
    );
    expect(await producer.status(next)).toMatchObject({ held: { behind: 1 } });
    await submit("second", HOUR_MS, { lane: "b" });

    await startWorker();
    await untilState(producer, next, "completed");
    expect(await producer.status(id)).toMatchObject({ state: "delayed" });
    expect(ran.map(({ text }) => text)).toEqual(["next"]);
  });
});

describe("a job that is not replaced: the next submission makes a new one", () => {
  it("because a worker has just claimed it", async () => {
    const { submit, producer, startWorker, ran, gate } = await openIndexing();
    const { id } = await submit("slow", 1);
    await startWorker();
    await untilState(producer, id, "active");
    const next = await submit("next", 1);
    expect(next).toMatchObject({ duplicate: false });
    expect(next.id).not.toBe(id);
    expect(next).not.toHaveProperty("replaces");
    gate.open();
    for (const each of [id, next.id]) await untilState(producer, each, "completed");
    expect(ran.map(({ text }) => text).sort()).toEqual(["next", "slow"]);
  });

  it("because it waits for its retry", async () => {
    const { submit, producer, startWorker, failing } = await openIndexing();
    failing.add("first");
    const { id } = await submit("first", 1);
    const worker = await startWorker();
    await until("it waits for its retry", async () => (await producer.status(id))?.attemptsMade === 1);
    await worker.stop();
    const next = await submit("next");
    expect(next.id).not.toBe(id);
    expect(await submit("after")).toMatchObject({ id: next.id, replaces: true });
    expect(await producer.status(id)).toMatchObject({ state: "delayed", attemptsMade: 1 });
  });

  it("because a worker has claimed and released it", async () => {
    const { submit, openBareQueue, connect, env } = await openIndexing();
    const { id } = await submit("first");
    const queue = openBareQueue();
    await (await queue.getJob(id))?.promote();
    const worker = new Worker(queue.name, null, { connection: connect(), prefix: env.HOLDFAST_PREFIX });
    onTestFinished(() => worker.close());
    const claimed = await worker.getNextJob("a token");
    await claimed?.moveToWait("a token");
    expect(await queue.getJobState(id)).toBe("waiting");
    expect((await submit("second")).id).not.toBe(id);
  });

  it("because it was cancelled, also where it was retried since", async () => {
    const { submit, producer, createOperator, startWorker, ran } = await openIndexing();
    const operator = await createOperator();
    const { id } = await submit("first");
    await operator.cancel(id);
    const second = await submit("second");
    await operator.retry(id);
    const third = await submit("third", 1);

    expect(second.id).not.toBe(id);
    expect(third).toMatchObject({ id: second.id, replaces: true });
    await startWorker();
    for (const each of [id, second.id]) await untilState(producer, each, "completed");
    expect(ran.map(({ text }) => text).sort()).toEqual(["first", "third"]);
  });

  it("because it was retried after it was cancelled, and nothing came between", async () => {
    const { submit, producer, createOperator, startWorker, ran } = await openIndexing();
    const operator = await createOperator();
    const { id } = await submit("first");
    await operator.cancel(id);
    await operator.retry(id);
    const second = await submit("second", 1);
    expect(second.id).not.toBe(id);
    await startWorker();
    for (const each of [id, second.id]) await untilState(producer, each, "completed");
    expect(ran.map(({ text }) => text).sort()).toEqual(["first", "second"]);
  });

  it("because it has ended and was deleted: its key still leads to it", async () => {
    const { submit, producer, createOperator, startWorker } = await openIndexing();
    const operator = await createOperator();
    await startWorker();
    const { id } = await submit("first", 1);
    await untilState(producer, id, "completed");
    await operator.delete(id, "a test");
    const second = await submit("second", 1);
    expect(second.id).not.toBe(id);
    expect(await submit("first", 1)).toEqual({ id, type: "index", idempotencyKey: "first", duplicate: true });
    await expect(submit("first", 2)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("because another tool has removed it", async () => {
    const { submit, openBareQueue } = await openIndexing();
    const { id } = await submit("first");
    await openBareQueue().remove(id);
    expect((await submit("second")).id).not.toBe(id);
  });

  it("because it is in a former queue: both run", async () => {
    const old = await openIndexing({ queue: "old" });
    await old.startWorker();
    const { id } = await old.submit("first");
    const { HOLDFAST_PREFIX } = old.env;
    const moved = await openIndexing({
      queue: "new",
      formerQueues: ["old"],
      variables: { HOLDFAST_PREFIX },
    });
    const second = await moved.submit("second");
    expect(second.id).not.toBe(id);
    expect(await moved.submit("third", 1)).toMatchObject({ id: second.id, replaces: true });
    expect(await moved.submit("first")).toMatchObject({ id, duplicate: true });
    expect(await moved.submit("second")).toMatchObject({ id: second.id, replacedBy: "third" });
    await expect(moved.submit("second", 3)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    await moved.startWorker();
    await promote(old, id, "old");
    for (const each of [id, second.id]) await untilState(moved.producer, each, "completed");
    expect([...old.ran, ...moved.ran].map(({ text }) => text).sort()).toEqual(["first", "third"]);
  });
});

describe("a key whose payload was replaced", () => {
  it("answers with the surviving job, and which key replaced it; other content is refused", async () => {
    const { submit, producer, createOperator, startWorker } = await openIndexing();
    const { id } = await submit("first");
    await submit("second");
    await submit("third", 1);
    const check = async () => {
      expect(await submit("first")).toMatchObject({ id, duplicate: true, replacedBy: "third" });
      expect(await submit("second")).toMatchObject({ id, duplicate: true, replacedBy: "third" });
      const latest = await submit("third", 1);
      expect(latest).toEqual({ id, type: "index", idempotencyKey: "third", duplicate: true });
      for (const key of ["first", "second", "third"])
        await expect(submit(key, 77)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    };

    await check();
    expect(await producer.status(id)).toMatchObject({ replaced: 2 });
    await startWorker();
    await untilState(producer, id, "completed");
    await check();
    const operator = await createOperator();
    for (const idempotencyKey of ["first", "second", "third"])
      expect((await operator.list({ type: "index", idempotencyKey, limit: 9 })).jobs).toMatchObject([
        { id, idempotencyKey: "third", replaced: 2 },
      ]);
  });

  it("is refused where it comes without the debounce key, alone and in a flow", async () => {
    const { submit, job, producer } = await openIndexing();
    await submit("first");
    await submit("second");
    const plain = { idempotencyKey: "second" };
    await expect(producer.submit(job, { text: "second" }, plain)).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    const flow = {
      parent: { job, payload: { text: "parent" }, idempotencyKey: "parent" },
      children: [{ job, payload: { text: "second" }, ...plain }],
    };
    await expect(producer.submitFlow(flow)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("is remembered from its own submission for as long as any key", async () => {
    const { submit, keys, connect } = await openIndexing({ variables: { HOLDFAST_RETENTION_MS: "60000" } });
    await submit("first");
    await submit("second", 1);
    const left = async (key: string) => await connect().pttl(keys.dedupKey(dedupKeyOf("index", key)));
    expect(await left("first")).toBeGreaterThan(HOUR_MS);
    expect(await left("second")).toBeLessThanOrEqual(60_001);
  });
});

describe("debounced submissions", () => {
  it("of one batch replace each other in order; the same key twice is one submission", async () => {
    const { producer, job, startWorker, ran } = await openIndexing();
    const debounce = { key: "document-7", ms: 1 };
    const items = ["a", "b", "b", "c"].map((text) => ({ payload: { text }, idempotencyKey: text, debounce }));
    const results = await producer.submitMany(job, items);
    const [first, ...others] = results.map((result) => {
      if (result instanceof Error) throw result;
      return result;
    });
    expect(others).toMatchObject([
      { id: first?.id, replaces: true },
      { id: first?.id, duplicate: true },
      { id: first?.id, replaces: true },
    ]);
    await startWorker();
    await untilState(producer, first?.id ?? "", "completed");
    expect(ran.map(({ text }) => text)).toEqual(["c"]);
  });

  it("of many producers at once make one job, which runs what came last", async () => {
    const { submit, producer, createProducer, job, startWorker, ran } = await openIndexing();
    const { id } = await submit("first");
    const producers = [await createProducer(), await createProducer(), producer];
    const debounce = { key: "document-7", ms: HOUR_MS };
    const receipts = await Promise.all(
      Array.from({ length: 150 }, (_, at) =>
        producers[at % 3]?.submit(job, { text: `${at}` }, { idempotencyKey: `${at}`, debounce }),
      ),
    );
    expect(new Set(receipts.map((receipt) => receipt?.id))).toEqual(new Set([id]));
    await submit("last", 1);
    expect(await producer.status(id)).toMatchObject({ replaced: 151 });
    await startWorker();
    await untilState(producer, id, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["last"]);
  });

  it("are encrypted for the job that survives", async () => {
    const key = `one:${randomBytes(32).toString("base64")}`;
    const { submit, producer, startWorker, ran, connect, keys } = await openIndexing({
      variables: { HOLDFAST_ENCRYPTION_KEYS: key },
    });
    const { id } = await submit("first");
    const ids = await Promise.all(["second", "third"].map((text) => submit(text)));
    expect(ids).toMatchObject([
      { id, replaces: true },
      { id, replaces: true },
    ]);
    await submit("fourth", 1);
    expect(await connect().hget(keys.job(id), "data")).toMatch(/^"hf1\.one\./);
    expect(await submit("second")).toMatchObject({ id, replacedBy: "fourth" });
    await startWorker();
    await untilState(producer, id, "completed");
    expect(ran.map(({ text }) => text)).toEqual(["fourth"]);
    expect((await submit("fifth")).id).not.toBe(id);
  });

  it("are accepted, encrypted, however short their windows are and however many come at once", async () => {
    const key = `one:${randomBytes(32).toString("base64")}`;
    const { submit, producer, startWorker, ran } = await openIndexing({
      variables: { HOLDFAST_ENCRYPTION_KEYS: key },
    });
    await startWorker();
    const ids = new Set<string>();
    await Promise.all(
      Array.from({ length: 30 }, async (_, client) => {
        for (let turn = 0; turn < 10; turn += 1) ids.add((await submit(`${client}-${turn}`, 1)).id);
      }),
    );
    const states = [];
    for (const id of ids) states.push(await untilState(producer, id, "completed"));
    const replaced = states.map((state) => state.replaced ?? 0).reduce((sum, each) => sum + each, 0);
    expect(ids.size + replaced).toBe(300);
    expect(ran).toHaveLength(ids.size);
  }, 60_000);

  it("are refused in a queue that has partitions: nothing is stored", async () => {
    const { submit, producer, env, connect, keys } = await openIndexing({ queue: "divided" });
    await submit("first");
    await divideQueue(plainStores(connect(), env.HOLDFAST_PREFIX), env.HOLDFAST_PREFIX, "divided", 2);
    await until("the producer knows", async () => {
      const found = await submit("second").catch((error: { code?: string }) => error.code);
      return found === "INVALID_REQUEST";
    });
    await expect(submit("third")).rejects.toMatchObject({
      issues: [
        {
          pointer: "/options/debounce",
          message: 'expected a queue without partitions, got "divided", which has 2',
        },
      ],
    });
    expect(await connect().exists(keys.dedupKey(dedupKeyOf("index", "third")))).toBe(0);
    await producer.stop();
  });
});
