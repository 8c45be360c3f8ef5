import { defineConfig, defineJob } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { onFailpoint } from "../../../src/core/failpoints.ts";
import { anyJob } from "../../support/application.ts";
import { bind, render } from "../../support/fixtures/books.config.ts";
import { bookOf, chapterId, openLibrary, operatorOf } from "../../support/library.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("a flow", () => {
  it("runs its parent when its children have ended, and gives it their results", async () => {
    const { producer, startWorker, bound } = await openLibrary();
    const { id, duplicate, children } = await producer.submitFlow(bookOf("book", "one", "three"));
    expect({ duplicate, children }).toEqual({ duplicate: false, children: 2 });
    expect(await producer.status(id)).toMatchObject({
      state: "waiting-children",
      children: { total: 2, waiting: 2, completed: 0, failed: 0 },
    });

    await startWorker();
    const { result } = await untilState(producer, id, "completed");
    expect(result).toEqual({ pages: 8, missing: [] });
    expect(bound).toEqual(["book"]);
  });

  it("shows in the statuses of its jobs how they belong together", async () => {
    const library = await openLibrary();
    const { producer, startWorker } = library;
    const operator = await operatorOf(library);
    const { id } = await producer.submitFlow(bookOf("book", "one"));
    const child = await chapterId(operator, "book", "one");

    expect((await operator.list({ state: "waiting-children", limit: 10 })).jobs).toMatchObject([{ id }]);
    await startWorker();
    await untilState(producer, id, "completed");

    expect(await producer.status(child)).toMatchObject({ state: "completed", parentId: id });
    expect(await producer.status(id)).toMatchObject({ children: { total: 1, waiting: 0, completed: 1 } });
  });

  it("lists its children, those that failed first", async () => {
    const library = await openLibrary();
    const operator = await operatorOf(library);
    const { id } = await library.producer.submitFlow(bookOf("book", "one", "bad", "three"));
    const listed = async () =>
      (await operator.detail(id))?.childJobs?.map(({ type, name, state }) => `${type} ${name} ${state}`);
    const waiting = ["render bad waiting", "render one waiting", "render three waiting"];
    expect((await listed())?.toSorted()).toEqual(waiting);

    await library.startWorker();
    await until("all have ended", async () => !String(await listed()).includes("waiting"));
    const [first, ...others] = (await listed()) ?? [];
    expect(first).toBe("render bad failed");
    expect(others.toSorted()).toEqual(["render one completed", "render three completed"]);
    expect((await operator.detail(await chapterId(operator, "book", "one")))?.childJobs).toBeUndefined();
  });

  it("gives its parent each of 2,000 children once, with type, name and place", async () => {
    const seen = new Map<number, string>();
    const collect = defineJob({
      type: "collect",
      payload: z.strictObject({}),
      result: z.strictObject({ count: z.int() }),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
      timeoutMs: 60_000,
    });
    const handlers = [
      render.handler(async ({ payload: { chapter } }) => ({ pages: Number(chapter) })),
      collect.handler(async ({ children }) => {
        let count = 0;
        for await (const { index, type, name, result } of children(render)) {
          count += 1;
          seen.set(index, `${type} ${name} ${result?.pages}`);
        }
        return { count };
      }),
    ];
    const service = createService(
      defineConfig({ jobs: [render, collect], handlers: async () => handlers }),
      // Their jobs are gone when the parent runs; it reads their results all the same.
      { HOLDFAST_KEEP_COMPLETED: "10" },
    );
    const producer = await service.createProducer();
    const chapters = Array.from({ length: 2_000 }, (_, index) => String(index));
    const { id } = await producer.submitFlow({
      parent: { job: collect, payload: {}, idempotencyKey: "all" },
      children: chapters.map((chapter) => ({ job: render, payload: { chapter } })),
    });
    await service.startWorker();

    const { result } = await untilState(producer, id, "completed");
    expect(result).toEqual({ count: 2_000 });
    expect(chapters.map((_, index) => seen.get(index))).toEqual(
      chapters.map((chapter) => `render ${chapter} ${chapter}`),
    );
  });

  it("is encrypted, results of children included", async () => {
    const { producer, startWorker, connect, keys, gate } = await openLibrary({
      HOLDFAST_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
    });
    const { id } = await producer.submitFlow(bookOf("book", "secret", "slow"));
    await startWorker();
    await until("a child has ended", async () => (await producer.status(id))?.children?.completed === 1);
    const stored = Object.values(await connect().hgetall(keys.children(id).processed));
    gate.open();

    expect(stored).toEqual([expect.stringMatching(/^"hf1\.k1\./)]);
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 10, missing: [] });
  });
});

describe("a flow that is submitted again", () => {
  it("is the same flow, while it runs and after its end", async () => {
    const { producer, startWorker, rendered, bound } = await openLibrary();
    const flow = bookOf("book", "one", "two");
    const receipts = await Promise.all(Array.from({ length: 5 }, () => producer.submitFlow(flow)));
    await startWorker();
    const [{ id } = { id: "" }] = receipts;
    await untilState(producer, id, "completed");
    const late = await producer.submitFlow(flow);

    expect(new Set(receipts.map((receipt) => receipt.id))).toEqual(new Set([id]));
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(late).toMatchObject({ id, duplicate: true });
    expect(rendered.sort()).toEqual(["one", "two"]);
    expect(bound).toEqual(["book"]);
  });

  it("is refused with other children, and with another payload", async () => {
    const { producer } = await openLibrary();
    await producer.submitFlow(bookOf("book", "one", "two"));
    const others = [
      bookOf("book", "one"),
      bookOf("book", "two", "one"),
      { ...bookOf("book", "one", "two"), onChildFailure: "continue" as const },
    ];
    for (const other of others)
      await expect(producer.submitFlow(other)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });
});

describe("a child with a key of its own", () => {
  const withKeys = (title: string, keys: readonly string[]) => ({
    parent: bookOf(title).parent,
    children: keys.map((key) => ({ job: render, payload: { chapter: key }, idempotencyKey: key })),
  });

  it("is the job that has that key, ended or not", async () => {
    const { producer, startWorker, rendered, gate } = await openLibrary();
    const [ended, running] = await Promise.all(
      ["ended", "slow"].map((key) => producer.submit(render, { chapter: key }, { idempotencyKey: key })),
    );
    await startWorker();
    await untilState(producer, ended?.id ?? "", "completed");
    await untilState(producer, running?.id ?? "", "active");
    const { id } = await producer.submitFlow(withKeys("book", ["ended", "slow"]));
    expect((await producer.status(id))?.children).toEqual({
      total: 2,
      waiting: 1,
      completed: 1,
      failed: 0,
      isWhole: true,
    });
    gate.open();

    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 9, missing: [] });
    expect(rendered.sort()).toEqual(["ended", "slow"]);
  });

  it("counts as failed if its job is not kept any more", async () => {
    const { producer, startWorker, connect, keys } = await openLibrary();
    const { id: gone } = await producer.submit(render, { chapter: "gone" }, { idempotencyKey: "gone" });
    await startWorker();
    await untilState(producer, gone, "completed");
    await connect().del(keys.job(gone));
    const flow = { ...withKeys("book", ["gone"]), onChildFailure: "continue" as const };
    const { id } = await producer.submitFlow(flow);

    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 0, missing: ["0"] });
  });

  it("is refused while another flow waits for it, and the flow goes on after that", async () => {
    const { producer, startWorker, gate } = await openLibrary();
    const first = await producer.submitFlow(withKeys("first", ["slow"]));
    const second = withKeys("second", ["own", "slow"]);
    await expect(producer.submitFlow(second)).rejects.toMatchObject({
      code: "CHILD_OF_OTHER_FLOW",
      retryable: true,
    });
    gate.open();
    await startWorker();
    await untilState(producer, first.id, "completed");
    const { id } = await producer.submitFlow(second);

    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 7, missing: [] });
  });

  it("is refused with other content, before anything is stored", async () => {
    const { producer, openBareQueue } = await openLibrary();
    await producer.submit(render, { chapter: "other" }, { idempotencyKey: "one" });
    await expect(producer.submitFlow(withKeys("book", ["none", "one"]))).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
      issues: [{ pointer: "/children/1/idempotencyKey" }],
    });
    expect(await openBareQueue().getJobCounts("waiting-children", "waiting")).toEqual({
      "waiting-children": 0,
      waiting: 1,
    });
  });
});

describe("a flow that is refused", () => {
  const stored = async (library: Awaited<ReturnType<typeof openLibrary>>) =>
    await library.openBareQueue().getJobCounts("waiting-children", "waiting");

  it("because somebody has used the key that one of its children gets, stores nothing", async () => {
    const library = await openLibrary();
    const { producer } = library;
    await producer.submit(render, { chapter: "other" }, { idempotencyKey: "bind:book/four" });
    await expect(producer.submitFlow(bookOf("book", "one", "two", "three", "four"))).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
      issues: [{ pointer: "/children/3/idempotencyKey" }],
    });
    expect(await stored(library)).toEqual({ "waiting-children": 0, waiting: 1 });
  });

  it("because another flow waits for one of its children, stores nothing", async () => {
    const library = await openLibrary();
    const { producer } = library;
    const { parent, children } = bookOf("second", "one", "two");
    const shared = { job: render, payload: { chapter: "shared" }, idempotencyKey: "shared", name: "shared" };
    await producer.submitFlow({ parent: bookOf("first").parent, children: [shared] });
    const second = { parent, children: [...children, shared] as typeof children };
    await expect(producer.submitFlow(second)).rejects.toMatchObject({ code: "CHILD_OF_OTHER_FLOW" });
    expect(await stored(library)).toEqual({ "waiting-children": 1, waiting: 1 });
  });

  it("because somebody uses a child's key at the same moment, leaves no parent that waits in vain", async () => {
    const { producer } = await openLibrary();
    onTestFinished(() => onFailpoint(async () => {}));
    const ids: string[] = [];
    onFailpoint(async (point, id) => {
      if (point !== "flow:opened") return;
      ids.push(id);
      await producer.submit(render, { chapter: "other" }, { idempotencyKey: "bind:book/two" });
    });
    await expect(producer.submitFlow(bookOf("book", "one", "two"))).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    expect(await producer.status(ids[0] ?? "")).toMatchObject({
      state: "failed",
      error: { code: "CANCELLED" },
    });
  });
});

describe("a flow whose jobs have a past in another queue", () => {
  it("is one flow, unless a child's job is still there", async () => {
    const { producer, env } = await openLibrary();
    await producer.submit(render, { chapter: "old" }, { idempotencyKey: "old" });
    const whole = (parent: typeof bind, child: typeof render) => ({
      parent: { job: parent, payload: { title: "whole" }, idempotencyKey: "whole" },
      children: [{ job: child, payload: { chapter: "own" }, idempotencyKey: "own" }],
    });
    const earlier = await producer.submitFlow(whole(bind, render));
    const moved = (type: string) => anyJob({ type, queue: "books", formerQueues: ["default"] });
    const [render2, bind2] = [moved("render"), moved("bind")];
    const ran: unknown[] = [];
    const handlers = [
      render2.handler(async ({ payload }) => void ran.push(payload)),
      bind2.handler(async ({ idempotencyKey }) => void ran.push(idempotencyKey)),
    ];
    const application = defineConfig({ jobs: [render2, bind2], handlers: async () => handlers });
    const service = createService(application, env);
    const now = await service.createProducer();
    const flow = (title: string, key?: string) => ({
      parent: { job: bind2, payload: title, idempotencyKey: title },
      children: [{ job: render2, payload: { chapter: "old" }, ...(key && { idempotencyKey: key }) }],
    });
    await expect(now.submitFlow(flow("bad", "old"))).rejects.toMatchObject({ code: "FLOW_ACROSS_QUEUES" });
    // Nothing was stored: the parent's key is free.
    expect(await now.submitFlow(flow("bad"))).toMatchObject({ duplicate: false });
    expect(await now.submitFlow(whole(bind2 as never, render2 as never))).toEqual({
      ...earlier,
      duplicate: true,
    });
    const receipts = await Promise.all([now.submitFlow(flow("good")), now.submitFlow(flow("good"))]);
    expect(receipts.map(({ id }) => id)).toEqual(Array(2).fill(expect.stringMatching(/^books_/)));
    await service.startWorker();
    await until("the parents have run", () => ["bad", "good"].every((title) => ran.includes(title)));
    expect(ran.filter((what) => what === "good")).toHaveLength(1);
  });
});

describe("a flow whose children run one at a time", () => {
  it("runs its parent after the last one", async () => {
    const order: string[] = [];
    const step = anyJob({ type: "step" });
    const keyed = defineJob({
      type: "keyed",
      payload: z.string(),
      result: z.unknown(),
      retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
      timeoutMs: 10_000,
      concurrency: { key: () => "all", limit: 1 },
    });
    const handlers = [
      keyed.handler(async ({ payload, attempt }) => {
        order.push(payload);
        if (attempt === 1) throw new Error("once");
      }),
      step.handler(async () => void order.push("parent")),
    ];
    const application = defineConfig({ jobs: [keyed, step], handlers: async () => handlers });
    const service = createService(application);
    const producer = await service.createProducer();
    const names = ["a", "b", "c"];
    const { id } = await producer.submitFlow({
      parent: { job: step, payload: null, idempotencyKey: "steps" },
      children: names.map((name) => ({ job: keyed, payload: name })),
    });
    expect(await producer.status(id)).toMatchObject({ state: "waiting-children", children: { waiting: 3 } });
    await service.startWorker();
    await untilState(producer, id, "completed");
    expect(order).toEqual([...names.flatMap((name) => [name, name]), "parent"]);
  });
});

describe("a flow that cannot be", () => {
  it("is refused with everything that is wrong with its jobs", async () => {
    const { producer } = await openLibrary();
    const flow = bookOf("book", "one", "two/three", "two");
    const children = [...flow.children, { job: render, payload: { chapter: 7 as never } }, flow.children[0]];
    await expect(producer.submitFlow({ ...flow, children: children as never })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      issues: [
        { pointer: "/children/1/name" },
        { pointer: "/children/3/payload/chapter" },
        { pointer: "/children/4" },
      ],
    });
  });

  it("is refused if its parent is to run at a time, or its jobs are of several queues or partitions", async () => {
    const { producer, application, env } = await openLibrary();
    const flow = bookOf("book", "one");
    const late = { ...flow, parent: { ...flow.parent, delayMs: 5 } as never };
    await expect(producer.submitFlow(late)).rejects.toMatchObject({
      issues: [{ pointer: "/parent/options/delayMs" }],
    });

    const { payload, result, retry, timeoutMs } = render;
    const elsewhere = defineJob({ type: "elsewhere", queue: "others", payload, result, retry, timeoutMs });
    const jobs = [...application.jobs.values(), elsewhere];
    const both = await createService(defineConfig({ jobs }), env).createProducer();
    const children = [...flow.children, { job: elsewhere, payload: { chapter: "x" } }];
    await expect(both.submitFlow({ ...flow, children })).rejects.toMatchObject({
      code: "FLOW_ACROSS_QUEUES",
    });

    const divided = defineConfig({
      jobs: [...application.jobs.values()],
      queues: { default: { partitions: 2 } },
    });
    const partitioned = await createService(divided).createProducer();
    await expect(partitioned.submitFlow(flow)).rejects.toMatchObject({ code: "FLOW_ACROSS_QUEUES" });
  });
});
