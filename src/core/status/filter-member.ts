import type { z } from "zod";
import type { KeyedHash } from "../job/dedup-key.ts";
import type { JobStatus } from "../job/job-status.ts";

/** A job, as far as filters look at it. */
export type FilteredJob = JobStatus & { readonly idempotencyKey?: string };

/** What a member of a filter of jobs may be, whether a job matches it, how it reads, and the option of commands that gives it. */
export interface FilterMember<Schema = z.ZodType, Wanted = never> {
  readonly schema: Schema;
  /** @default its index says: then it must have one */
  matches?(job: FilteredJob, wanted: Wanted): boolean;
  /** After "jobs". */
  text(wanted: Wanted): string;
  readonly option: FilterOption;
  /**
   * The queue's own key of a sorted set of the jobs that match, scored by submission.
   *
   * @param hash as submissions to the queue get it; read from Redis
   * @default none: jobs are read one by one
   */
  index?(wanted: Wanted, hash: () => Promise<KeyedHash>): string | Promise<string>;
}

export interface FilterOption {
  /** @example "--key-part <text>" */
  readonly flags: string;
  readonly help: string;
  /** What its value must be. */
  readonly expected: string;
}

export function filterMember<Schema extends z.ZodType>(
  schema: Schema,
  member: Omit<FilterMember<Schema, NonNullable<z.output<Schema>>>, "schema">,
): FilterMember<Schema, NonNullable<z.output<Schema>>> {
  return { schema, ...member };
}
