import { HoldfastError, type Operator } from "holdfast";
import { describe, expect, it } from "vitest";
import { mapInFlight } from "../../../src/platform/lib/map-in-flight.ts";
import { render } from "../../support/fixtures/books.config.ts";
import { bookOf, type Library, openLibrary, operatorOf } from "../../support/library.ts";
import { createRandom } from "../../support/random.ts";
import { untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const policies = ["fail", "continue"] as const;
type Policy = (typeof policies)[number];

/** A book with a chapter that other books have, too, and chapters of its own. */
function sharingBook(title: string, policy: Policy, shared: string, ...own: readonly string[]) {
  const { parent, children } = bookOf(title, ...own);
  const child = { job: render, payload: { chapter: shared }, idempotencyKey: shared, name: shared };
  return { parent, children: [child, ...children] as typeof children, onChildFailure: policy };
}

async function idOf(operator: Operator, key: string): Promise<string> {
  const { jobs } = await operator.list({ type: "render", idempotencyKey: key, limit: 1 });
  return jobs[0]?.id ?? "";
}

/** Two books of which each waits for, or has failed by, a chapter of both that has failed. */
async function twoBooks(first: Policy, second: Policy) {
  const library = await openLibrary();
  const { producer } = library;
  const operator = await operatorOf(library);
  await library.startWorker();
  const books: string[] = [];
  for (const [title, policy] of [
    ["first", first],
    ["second", second],
  ] as const) {
    const { id } = await producer.submitFlow(sharingBook(title, policy, "bad", `slow of ${title}`));
    books.push(id);
    await untilState(producer, await idOf(operator, "bad"), "failed");
    if (policy === "fail") await untilState(producer, id, "failed");
  }
  return { ...library, operator, books, shared: await idOf(operator, "bad") };
}

async function bound({ producer }: Pick<Library, "producer">, ids: readonly string[]) {
  const ended = await Promise.all(ids.map((id) => untilState(producer, id, "completed", "failed")));
  return ended.map(({ state, result, error }) => (state === "failed" ? error?.code : result));
}

const whole = (title: string) => ({ pages: "bad".length + `slow of ${title}`.length, missing: [] });

describe.concurrent("a child of two flows that has failed", () => {
  for (const first of policies)
    for (const second of policies)
      it(`and is retried in bulk, is waited for by both (${first}, ${second})`, async () => {
        const library = await twoBooks(first, second);
        const { operator, books, bad, gate } = library;
        bad.clear();
        const retry = { act: "retry", filter: {}, all: true, reason: "there is ink" } as const;
        await operator.acts.start(retry, "test");
        await untilState(library.producer, library.shared, "completed");
        gate.open();
        expect(await bound(library, books)).toEqual([whole("first"), whole("second")]);
      });

  it("and is retried before, between or after its parents, is waited for by both", async () => {
    for (const place of [0, 1, 2]) {
      const library = await twoBooks("fail", "fail");
      const { operator, producer, books, bad, gate, shared } = library;
      bad.clear();
      gate.open();
      // While nobody runs them, a parent that is retried before its child is in line to fail.
      const order = [...books];
      order.splice(place, 0, shared);
      for (const id of order) await operator.retry(id);
      await untilState(producer, shared, "completed");
      for (const id of books) {
        if ((await untilState(producer, id, "completed", "failed")).state === "failed")
          await operator.retry(id);
      }
      expect(await bound(library, books), `the child in place ${place}`).toEqual([
        whole("first"),
        whole("second"),
      ]);
    }
  });

  it("fails both again, if it fails again", async () => {
    const library = await twoBooks("fail", "fail");
    const { operator, producer, books, shared, gate } = library;
    gate.open();
    for (const id of [shared, ...books]) await operator.retry(id);
    await until("it has failed again", async () => (await producer.status(shared))?.state === "failed");
    expect(await bound(library, books)).toEqual(["CHILD_FAILED", "CHILD_FAILED"]);
  });

  it("and is cancelled while both wait for it again, ends for both", async () => {
    const library = await twoBooks("continue", "continue");
    const { operator, producer, books, shared, gate } = library;
    await operator.queues.pause("default", { reason: "nobody claims it", by: "test" });
    await operator.retry(shared);
    for (const id of books) expect((await producer.status(id))?.children?.waiting).toBe(2);
    await operator.cancel(shared);
    for (const id of books) expect((await producer.status(id))?.children).toMatchObject({ failed: 1 });
    await operator.queues.resume("default");
    gate.open();
    expect(await bound(library, books)).toEqual([
      { pages: "slow of first".length, missing: ["bad"] },
      { pages: "slow of second".length, missing: ["bad"] },
    ]);
  });

  it("may become the child of a third flow once it has ended, while another has not noticed yet", async () => {
    const library = await twoBooks("fail", "fail");
    const { operator, producer, books, shared, bad, gate } = library;
    bad.clear();
    gate.open();
    await operator.retry(shared);
    await untilState(producer, shared, "completed");
    const { id } = await producer.submitFlow(sharingBook("third", "fail", "bad"));
    for (const book of books) await operator.retry(book);
    expect(await bound(library, [...books, id])).toEqual([
      whole("first"),
      whole("second"),
      { pages: 3, missing: [] },
    ]);
  });
});

describe.concurrent("a shared child that is removed before the sweep has come to all of its parents", () => {
  // The sweep looks at 50 parents in a second.
  const BOOKS = 120;

  it.each([
    ["by a person", {}],
    ["by a budget", { HOLDFAST_KEEP_BYTES: "1000" }],
  ])("%s, leaves them its result", async (_, variables) => {
    const library = await openLibrary({ HOLDFAST_CONCURRENCY: "50", ...variables });
    const { producer, bad, bound: ran } = library;
    const operator = await operatorOf(library);
    await library.startWorker();
    const books: string[] = [];
    for (let at = 0; at < BOOKS; at += 1) {
      books.push((await producer.submitFlow(sharingBook(`book ${at}`, "fail", "bad"))).id);
      // The next one finds that it has failed.
      if (books.length === 1) await untilState(producer, books[0] ?? "", "failed");
    }
    for (const id of books) await untilState(producer, id, "failed");
    const shared = await idOf(operator, "bad");
    const pause = { reason: "all wait for it", by: "test" };
    await operator.queues.pause("default", pause);
    bad.clear();
    for (const id of [shared, ...books]) await operator.retry(id);
    await operator.queues.resume("default");
    const { completed } = library.keys;
    const store = library.connect();
    if (!("HOLDFAST_KEEP_BYTES" in variables)) {
      await until("it has completed", async () => (await store.zscore(completed, shared)) !== null);
      await operator.delete(shared, "test");
    }
    await until("it is gone", async () => (await producer.status(shared)) === undefined);

    await until("all have ended", async () => {
      const found = await Promise.all(books.map((id) => producer.status(id)));
      return found.every((book) => book === undefined || /completed|failed/.test(book.state));
    });
    expect(ran).toHaveLength(BOOKS);
  });
});

describe.concurrent("a parent that waits for a child that has ended", () => {
  /** A book whose chapter has ended and does not know it any more, as builds before this one left it. */
  async function unnoticed(policy: Policy, chapter: string) {
    const library = await openLibrary();
    const { producer, keys } = library;
    const operator = await operatorOf(library);
    const { id } = await producer.submitFlow(sharingBook("book", policy, chapter));
    const child = await idOf(operator, chapter);
    const redis = library.connect();
    await redis.hdel(keys.job(child), "parent", "parentKey");
    return { ...library, operator, id, child, redis };
  }

  it("is let in, with the child's result", async () => {
    const library = await unnoticed("fail", "one");
    await library.startWorker();
    expect(await bound(library, [library.id])).toEqual([{ pages: 3, missing: [] }]);
  });

  it("fails, if the child has failed; or goes on, if it says so", async () => {
    const failing = await unnoticed("fail", "bad");
    await failing.startWorker();
    expect(await bound(failing, [failing.id])).toEqual(["CHILD_FAILED"]);
    const patient = await unnoticed("continue", "bad");
    await patient.startWorker();
    expect(await bound(patient, [patient.id])).toEqual([{ pages: 0, missing: ["bad"] }]);
  });

  it("does not wait for a child that is gone", async () => {
    const library = await unnoticed("continue", "one");
    await library.operator.cancel(library.child);
    await library.operator.delete(library.child, "test");
    await library.startWorker();
    expect(await bound(library, [library.id])).toEqual([{ pages: 0, missing: ["one"] }]);
  });
});

describe.concurrent("many flows that share children", () => {
  const STEPS = 90;

  it("end, whatever people do to their jobs", async () => {
    const random = createRandom(1);
    const library = await openLibrary();
    const { producer, bad } = library;
    const operator = await operatorOf(library);
    await library.startWorker();
    const shared = Array.from({ length: 5 }, (_, at) => `shared ${at}`);
    for (const chapter of shared) bad.add(chapter);
    const books: string[] = [];
    const jobs = new Set<string>();
    const acts = {
      retry: (id: string) => operator.retry(id),
      cancel: (id: string) => operator.cancel(id),
      delete: (id: string) => operator.delete(id, "test"),
    };
    for (let step = 0; step < STEPS; step += 1) {
      const chapter = random.pick(shared);
      if (step % 3 === 0) {
        const book = sharingBook(`book ${step}`, random.pick(policies), chapter, `own ${step}`);
        // Another book can still wait for the chapter.
        const { id } = await until("the book is accepted", () =>
          producer.submitFlow(book).catch(unless("CHILD_OF_OTHER_FLOW")),
        );
        books.push(id);
        jobs.add(id).add(await idOf(operator, chapter));
      }
      if (random.next() < 0.5) bad.delete(chapter);
      else bad.add(chapter);
      const act = acts[random.pick(["retry", "retry", "cancel", "delete"] as const)];
      await act(random.pick([...jobs])).catch(
        unless("JOB_NOT_FAILED", "JOB_ENDED", "JOB_NOT_ENDED", "JOB_NOT_FOUND"),
      );
    }
    for (const id of books)
      await until(`${id} has ended`, async () => {
        const { state = "failed" } = (await producer.status(id)) ?? {};
        return state === "completed" || state === "failed";
      });
  });

  const unless =
    (...codes: readonly string[]) =>
    (error: unknown) => {
      if (!(error instanceof HoldfastError) || !codes.includes(error.code)) throw error;
      return undefined;
    };
});

describe.concurrent("over 1,000 children that failed and were retried while their parent was about to fail", () => {
  it("are waited for when the parent is retried", async () => {
    const library = await openLibrary();
    const { producer, bad, gate } = library;
    const operator = await operatorOf(library);
    const chapters = Array.from({ length: 1_100 }, (_, at) => `slow ${at}`);
    const { id } = await producer.submitFlow(bookOf("long", ...chapters));
    const pause = { reason: "nobody claims them", by: "test" };
    await operator.queues.pause("default", pause);
    const { jobs } = await listAll(operator);
    await mapInFlight(jobs, 20, (job) => operator.cancel(job));
    expect((await producer.status(id))?.state).toBe("waiting");
    await mapInFlight(jobs, 20, (job) => operator.retry(job));
    bad.clear();
    gate.open();
    await operator.queues.resume("default");
    await library.startWorker();
    await untilState(producer, id, "failed");
    await operator.retry(id);
    const pages = chapters.reduce((sum, chapter) => sum + chapter.length, 0);
    expect(await bound(library, [id])).toEqual([{ pages, missing: [] }]);
  });

  async function listAll(operator: Operator) {
    const jobs: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await operator.list({ type: "render", limit: 200, cursor });
      jobs.push(...page.jobs.map((job) => job.id));
      cursor = page.nextCursor;
    }
    return { jobs };
  }
});
