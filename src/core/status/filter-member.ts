import type { z } from "zod";
import type { KeyedHash } from "../job/dedup-key.ts";
import type { JobStatus } from "../job/job-status.ts";

/** What a member of a filter may be, and what gives it in commands and in the console. */
export interface FilterMember<Schema = z.ZodType> {
  readonly schema: Schema;
  readonly option: FilterOption;
}

export interface FilterOption {
  /** @example "--key-part <text>" */
  readonly flags: string;
  readonly help: string;
  /** What its value must be. */
  readonly expected: string;
  /** What its field in the console is called. @default it has none */
  readonly label?: string;
}

/** A job, as far as filters look at it. */
export type FilteredJob = JobStatus & { readonly idempotencyKey?: string };

/** A member of a filter of jobs. */
export interface JobFilterMember<Schema = z.ZodType, Wanted = never> extends FilterMember<Schema> {
  /** @default its index says: then it must have one */
  matches?(job: FilteredJob, wanted: Wanted): boolean;
  /** How it reads after "jobs". */
  text(wanted: Wanted): string;
  /**
   * The queue's own key of a sorted set of the jobs that match, scored by submission.
   *
   * @param hash as submissions to the queue get it; read from Redis
   * @default none: jobs are read one by one
   */
  index?(wanted: Wanted, hash: () => Promise<KeyedHash>): string | Promise<string>;
}

export function jobFilterMember<Schema extends z.ZodType>(
  schema: Schema,
  member: Omit<JobFilterMember<Schema, NonNullable<z.output<Schema>>>, "schema">,
): JobFilterMember<Schema, NonNullable<z.output<Schema>>> {
  return { schema, ...member };
}
