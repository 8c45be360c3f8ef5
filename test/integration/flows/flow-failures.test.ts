import { describe, expect, it } from "vitest";
import { bookOf, chapterId, type Library, openLibrary, operatorOf } from "../../support/library.ts";
import { untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const kept = { onChildFailure: "continue" } as const;

/** Submits a book with a bad chapter, runs its jobs, and returns when the chapter has failed. */
async function withBadChapter(policy: object, ...others: readonly string[]) {
  const library = await openLibrary();
  const operator = await operatorOf(library);
  const { id } = await library.producer.submitFlow({ ...bookOf("book", "bad", ...others), ...policy });
  const bad = await chapterId(operator, "book", "bad");
  await library.startWorker();
  await untilState(library.producer, bad, "failed");
  return { ...library, operator, id, badId: bad };
}

async function endOf({ producer }: Pick<Library, "producer">, id: string) {
  const { state, result, error } = await untilState(producer, id, "completed", "failed");
  return state === "failed" ? error?.code : result;
}

describe("a child that fails", () => {
  it("fails its parent at once, which has not run; the other children go on", async () => {
    const library = await withBadChapter({}, "slow");
    const { producer, id, badId, gate, bound, operator } = library;
    const { error } = await untilState(producer, id, "failed");
    gate.open();
    await untilState(producer, await chapterId(operator, "book", "slow"), "completed");

    expect(error).toEqual({ code: "CHILD_FAILED", message: `Child ${badId} failed`, retryable: false });
    expect(bound).toEqual([]);
    expect(await producer.status(id)).toMatchObject({
      state: "failed",
      children: { total: 2, waiting: 0, completed: 1, failed: 1 },
    });
  });

  it("lets its parent run when the others have ended, if the flow says so", async () => {
    const { producer, id, gate, ...library } = await withBadChapter(kept, "slow");
    expect((await producer.status(id))?.state).toBe("waiting-children");
    gate.open();
    expect(await endOf({ producer, ...library }, id)).toEqual({ pages: 4, missing: ["bad"] });
  });

  it("retried by hand, lets its failed parent be retried, too", async () => {
    const library = await withBadChapter({}, "one");
    const { producer, operator, id, badId, bad, bound } = library;
    await untilState(producer, id, "failed");
    await operator.retry(id);
    await until("the parent has failed again", async () => {
      const status = await producer.status(id);
      return status?.state === "failed" && status.attemptsMade > 0;
    });

    bad.clear();
    await operator.retry(badId);
    await operator.retry(id);
    expect(await endOf(library, id)).toEqual({ pages: 6, missing: [] });
    expect(bound).toEqual(["book"]);
  });

  it("retried by hand while its parent waits, is waited for again", async () => {
    const library = await withBadChapter(kept, "slow");
    const { producer, operator, id, badId, bad, gate } = library;
    bad.clear();
    await operator.retry(badId);
    await untilState(producer, badId, "completed");
    gate.open();
    expect(await endOf(library, id)).toEqual({ pages: 7, missing: [] });
  });

  it("retried by hand while its parent is about to fail, does not keep the parent from being retried", async () => {
    const library = await openLibrary();
    const { producer, bad, startWorker } = library;
    const operator = await operatorOf(library);
    const { id } = await producer.submitFlow(bookOf("book", "bad", "one"));
    const badId = await chapterId(operator, "book", "bad");
    const pause = { reason: "the test looks", by: "test" };
    // The parent is in line to fail, and no worker comes to it.
    await operator.queues.pause("default", pause);
    await operator.cancel(badId);
    expect((await producer.status(id))?.state).toBe("waiting");
    bad.clear();
    await operator.retry(badId);
    await operator.queues.resume("default");
    await startWorker();
    await untilState(producer, id, "failed");
    await untilState(producer, badId, "completed");

    await operator.retry(id);
    expect(await endOf(library, id)).toEqual({ pages: 6, missing: [] });
  });

  it("counts likewise if it has expired, or has been cancelled before it ran", async () => {
    const library = await openLibrary();
    const { producer, startWorker } = library;
    const operator = await operatorOf(library);
    const flow = bookOf("book", "one", "late", "unwanted");
    const [one, late, unwanted] = flow.children;
    const children = [one, { ...late, startWithinMs: 1 }, unwanted] as typeof flow.children;
    const { id } = await producer.submitFlow({ ...flow, children, ...kept });
    await operator.cancel(await chapterId(operator, "book", "unwanted"));
    expect((await producer.status(id))?.children).toMatchObject({ waiting: 2, failed: 1 });
    await startWorker();

    const book = (await endOf(library, id)) as { pages: number; missing: string[] };
    expect({ ...book, missing: book.missing.sort() }).toEqual({ pages: 3, missing: ["late", "unwanted"] });
  });
});

describe("a parent that is cancelled while its children run", () => {
  it("does not run; its children go on; retried, it runs with them", async () => {
    const library = await openLibrary();
    const { producer, startWorker, gate, bound } = library;
    const operator = await operatorOf(library);
    const { id } = await producer.submitFlow(bookOf("book", "slow", "one"));
    await startWorker();
    expect(await operator.cancel(id)).toBe("cancelled");
    expect((await producer.status(id))?.error?.code).toBe("CANCELLED");
    await operator.retry(id);
    expect((await producer.status(id))?.state).toBe("waiting-children");
    await operator.cancel(id);
    gate.open();
    await until(
      "the children have ended",
      async () => (await producer.status(id))?.children?.completed === 2,
    );
    expect(bound).toEqual([]);

    await operator.retry(id);
    expect(await endOf(library, id)).toEqual({ pages: 7, missing: [] });
  });
});

describe("a parent that another tool puts in line before its children have ended", () => {
  it("does not run, and runs after a retry when they have", async () => {
    const library = await withBadChapter({}, "one");
    const { producer, operator, id, badId, bad, bound, openBareQueue } = library;
    await untilState(producer, id, "failed");
    const job = await openBareQueue().getJob(id);
    await job?.retry();
    const again = await until("it has failed again", async () => {
      const status = await producer.status(id);
      return status?.state === "failed" && status.attemptsMade > 0 && status;
    });
    expect(again.error?.code).toBe("CHILD_FAILED");
    expect(bound).toEqual([]);

    bad.clear();
    await operator.retry(badId);
    await operator.retry(id);
    expect(await endOf(library, id)).toEqual({ pages: 6, missing: [] });
  });
});
