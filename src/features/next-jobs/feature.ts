import type { Feature } from "../../core/feature.ts";
import type { ProducibleJob, Receipt } from "../../core/job/submit-options.ts";
import type { NextOptions } from "../next-key.ts";

declare module "../../core/job/attempt.ts" {
  interface AttemptMembers {
    /**
     * Submits another job, of any queue, once: further attempts, duplicates and crashes of this job find the first one. While Redis is
     * away it waits, as long as the attempt may.
     *
     * @param payload the same in each attempt: make it from this job's payload and from results of effects
     * @returns the receipt; `duplicate` when an earlier attempt submitted it
     * @throws HoldfastError `INVALID_PAYLOAD`, `INVALID_REQUEST`, `UNKNOWN_JOB_TYPE`; `IDEMPOTENCY_KEY_REUSED` when this job has
     *   submitted other content under this name
     * @example await submit(shipOrder, { order }, { delayMs: 60_000 })
     * @example for (const item of items) await submit(pack, { item }, { name: `pack-${item}` });
     */
    submit<PayloadIn>(
      job: ProducibleJob<PayloadIn>,
      payload: NoInfer<PayloadIn>,
      options?: NextOptions,
    ): Promise<Receipt>;
  }
}

/** Handlers submit the jobs that follow theirs. */
export const nextJobs: Feature = {
  name: "next-jobs",
  inWorker: () => import("./in-worker.ts"),
};
