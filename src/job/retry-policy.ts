import { z } from "zod";

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;

const delayMs = z.number().int().min(0).max(YEAR_MS);

const backoffSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("fixed"), delayMs }),
  z.strictObject({ kind: z.literal("exponential"), delayMs, jitter: z.number().min(0).max(1).optional() }),
]);

export const retryPolicySchema = z
  .strictObject({
    attempts: z.number().int().min(1).max(100),
    backoff: backoffSchema,
    maxStarts: z.number().int().min(1).max(1_000).optional(),
  })
  .refine(({ attempts, maxStarts }) => maxStarts === undefined || maxStarts >= attempts, {
    path: ["maxStarts"],
    message: "expected at least as many starts as attempts",
  })
  .refine(({ attempts, backoff }) => longestDelayMs(attempts, backoff) <= YEAR_MS, {
    path: ["backoff"],
    message: "expected the last delay to be at most a year",
  });

/** The pause before the next attempt. */
export type Backoff =
  | {
      readonly kind: "fixed";
      /** Milliseconds between the end of a failed attempt and the next one. */
      readonly delayMs: number;
    }
  | {
      readonly kind: "exponential";
      /** Milliseconds before the second attempt; doubled before each further one. */
      readonly delayMs: number;
      /**
       * The share of each delay that is random, 0 to 1: with 0.5 a delay lies between half of it and all of it.
       * @default 0
       */
      readonly jitter?: number | undefined;
    };

/** How often a job is tried. Set at creation, and run by BullMQ. */
export interface RetryPolicy {
  /** How often the handler may fail, 1 to 100; after the last the job is `failed`. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /**
   * How often an attempt may begin that then fails or is cut off by a crash. A crash of the worker uses up a start but
   * not an attempt; this bound ends a job that kills its worker every time.
   * @default attempts + 5
   */
  readonly maxStarts?: number | undefined;
}

const CRASHES_ALLOWED = 5;

/** How often an attempt of a job may begin before the job is failed as `STARTS_EXHAUSTED`. */
export function startsAllowed(retry: RetryPolicy): number {
  return retry.maxStarts ?? retry.attempts + CRASHES_ALLOWED;
}

function longestDelayMs(attempts: number, backoff: Backoff): number {
  if (backoff.kind === "fixed" || attempts < 3) return backoff.delayMs;
  return backoff.delayMs * 2 ** (attempts - 2);
}
