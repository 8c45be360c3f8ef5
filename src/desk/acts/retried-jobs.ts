import { z } from "zod";
import { type JobState, jobStates } from "../../core/job/job-state.ts";
import { sweepsOf } from "../../features/sweep-index.ts";
import { type JobFilter, RETRIED_BY } from "../jobs/job-filter.ts";
import type { JobCount, JobLists } from "../jobs/job-lists.ts";

/** Sweeps from time to time what a queue knows of acts whose jobs are gone. */
export const sweepRetried = sweepsOf({
  set: RETRIED_BY,
  all: "retries",
  namesMax: 100,
  againMs: 10 * 60_000,
});

const count = (description: string) => z.int().meta({ description });

export const nowSchema = z.object({
  completed: count("Have completed since."),
  failed: count("Have failed for good again."),
  cancelled: count("Were cancelled since."),
  inDoubt: count("Ended because an effect of theirs is in doubt."),
  unfinished: count("Have not ended: they wait or run."),
  gone: count("Are not kept any more: they have ended, or were deleted."),
  isExact: z.boolean().meta({ description: "If not, each but `gone` is at least that, and `gone` is 0." }),
});

type Now = z.output<typeof nowSchema>;

/** What has become of the jobs that an act has retried. @param done how many it has retried */
export async function readRetried(lists: JobLists, act: string, done: number): Promise<Now> {
  const count = (filter: JobFilter, states?: readonly JobState[]) => lists.count({ ...filter, act }, states);
  const [completed, ended, cancelled, inDoubt, unfinished] = await Promise.all([
    count({ state: "completed" }),
    count({ state: "failed" }),
    count({ state: "failed", code: "CANCELLED" }),
    count({ state: "failed", code: "EFFECT_IN_DOUBT" }),
    count(
      {},
      jobStates.filter((state) => state !== "completed" && state !== "failed"),
    ),
  ]);
  return becameOf({ completed, ended, cancelled, inDoubt, unfinished }, done);
}

type Counted = Readonly<
  Record<
    "completed" | "ended" | "cancelled" | "inDoubt" | "unfinished",
    Pick<JobCount, "count" | "isExact" | "scanned">
  >
>;

/** Each count reads the act's jobs in one order, and may end before the others. */
export function becameOf(counted: Counted, done: number): Now {
  const { completed, ended, cancelled, inDoubt, unfinished } = counted;
  const isExact = Object.values(counted).every((some) => some.isExact);
  // Of those that the count of failed jobs alone has read, each may be cancelled or in doubt.
  const unread = Math.max(0, ended.scanned - Math.min(cancelled.scanned, inDoubt.scanned));
  const all = completed.count + ended.count + unfinished.count;
  return {
    completed: completed.count,
    // They end while they are counted.
    failed: Math.max(0, ended.count - cancelled.count - inDoubt.count - (isExact ? 0 : unread)),
    cancelled: cancelled.count,
    inDoubt: inDoubt.count,
    unfinished: unfinished.count,
    gone: isExact ? Math.max(0, done - all) : 0,
    isExact,
  };
}
