import { z } from "zod";
import { sweepsOf } from "../../features/sweep-index.ts";
import { RETRIED_BY } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";

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

/** What has become of the jobs that an act has retried. @param done how many it has retried */
export async function readRetried(
  lists: JobLists,
  act: string,
  done: number,
): Promise<z.output<typeof nowSchema>> {
  const filters = [
    {},
    { state: "completed" },
    { state: "failed" },
    { code: "CANCELLED" },
    { code: "EFFECT_IN_DOUBT" },
  ] as const;
  const totals = await Promise.all(filters.map((filter) => lists.count({ ...filter, act })));
  const isExact = totals.every((total) => total.isExact);
  const [all = 0, completed = 0, ended = 0, cancelled = 0, inDoubt = 0] = totals.map((total) => total.count);
  // They end while they are counted.
  const atLeast = (some: number) => Math.max(0, some);
  return {
    completed,
    failed: atLeast(ended - cancelled - inDoubt),
    cancelled,
    inDoubt,
    unfinished: atLeast(all - completed - ended),
    gone: isExact ? atLeast(done - all) : 0,
    isExact,
  };
}
