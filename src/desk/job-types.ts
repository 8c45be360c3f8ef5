import type { JobStatus } from "../core/job/job-status.ts";
import type { Jsonified } from "../core/job/jsonified.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../core/job/submit-options.ts";
import type { HoldfastError } from "../platform/errors/holdfast-error.ts";

/** The part of a contract that whoever reads its jobs' results needs. */
export interface ResultingJob<Result> {
  readonly type: string;
  readonly result: { readonly "~standard": { readonly types?: { readonly input: Result } | undefined } };
}

/**
 * What is submitted for a job: its payload before the schema fills in defaults.
 *
 * @typeParam Contracts a contract's type, or a union of several
 * @typeParam Type which of them
 * @example PayloadOf<typeof welcomeEmail>
 */
export type PayloadOf<Contracts, Type extends string = TypeOf<Contracts>> =
  Contracts extends ProducibleJob<infer PayloadIn>
    ? Type extends Contracts["type"]
      ? PayloadIn
      : never
    : never;

type TypeOf<Contracts> = Contracts extends { readonly type: infer Type extends string } ? Type : never;

/**
 * What a job's handler returns. A schema that changes what it checks changes what a status shows, too: that has no type here.
 *
 * @example ResultOf<typeof welcomeEmail>
 */
export type ResultOf<Job extends ResultingJob<unknown>> =
  Job extends ResultingJob<infer Result> ? Result : never;

/**
 * What a job's handler gets, for a handler that is written as a method.
 *
 * @example AttemptOf<typeof welcomeEmail>
 */
export type AttemptOf<Job extends { handler(run: never): unknown }> = Parameters<
  Parameters<Job["handler"]>[0]
>[0];

/** A payload with its options. */
export interface Submission<PayloadIn> extends SubmitOptions {
  readonly payload: PayloadIn;
}

export type SubmitResult = Receipt | HoldfastError;

/** The status of a job of one contract: `result` is null until the job has completed, and then what JSON has kept of it. */
export type JobStatusOf<Job extends ResultingJob<unknown>> = Omit<JobStatus, "result"> & {
  readonly result: Jsonified<ResultOf<Job>> | null;
};

/** Reads the status of a job by its id, or, with its contract, one whose result has a type. */
export interface ReadStatus {
  /** @returns undefined when there is no such job any more */
  (id: string): Promise<JobStatus | undefined>;
  /** @returns undefined when there is no such job any more, or it is of another type */
  <Job extends ResultingJob<unknown>>(job: Job, id: string): Promise<JobStatusOf<Job> | undefined>;
}

export function readStatusBy(read: (id: string) => Promise<JobStatus | undefined>): ReadStatus {
  return async <Job extends ResultingJob<unknown>>(job: string | Job, id = "") => {
    if (typeof job === "string") return await read(job);
    const status = await read(id);
    // Its worker has checked the result against the contract.
    return status !== undefined && status.type === job?.type ? (status as JobStatusOf<Job>) : undefined;
  };
}
