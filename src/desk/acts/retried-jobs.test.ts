import { describe, expect, it } from "vitest";
import { becameOf } from "./retried-jobs.ts";

const DONE = 60_000;
const some = (count: number, scanned: number, isExact = false) => ({ count, scanned, isExact });

describe("what has become of the jobs of an act", () => {
  it("adds up to the jobs that it has retried, where all were counted", () => {
    const now = becameOf(
      {
        completed: some(40_000, DONE, true),
        ended: some(15_000, DONE, true),
        cancelled: some(3_000, DONE, true),
        inDoubt: some(2_000, DONE, true),
        unfinished: some(4_000, DONE, true),
      },
      DONE,
    );
    expect(now).toEqual({
      completed: 40_000,
      failed: 10_000,
      cancelled: 3_000,
      inDoubt: 2_000,
      unfinished: 4_000,
      gone: 1_000,
      isExact: true,
    });
  });

  it("is at least what it says where the counts ended at different places: of what one has not read, each may be another's", () => {
    // Every second job is cancelled.
    const now = becameOf(
      {
        completed: some(0, 50_000),
        ended: some(50_000, 50_000),
        cancelled: some(15_000, 30_000),
        inDoubt: some(0, 40_000),
        unfinished: some(0, 50_000),
      },
      DONE,
    );
    expect(now).toMatchObject({ failed: 15_000, cancelled: 15_000, gone: 0, isExact: false });
  });
});
