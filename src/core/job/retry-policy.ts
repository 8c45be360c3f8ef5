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
    message: "expected at least as many as attempts",
  })
  .refine(({ attempts, backoff }) => longestDelayMs(attempts, backoff) <= YEAR_MS, {
    path: ["backoff"],
    message: "expected the last delay to be at most a year",
  });

/**
 * The delay before the next attempt.
 *
 * @example { kind: "exponential", delayMs: 1_000, jitter: 0.2 }
 */
export type Backoff =
  | {
      readonly kind: "fixed";
      /** Milliseconds from the end of a failed attempt to the next one, at most a year. */
      readonly delayMs: number;
    }
  | {
      readonly kind: "exponential";
      /** Milliseconds before the second attempt. They double before each further one; the last may be at most a year. */
      readonly delayMs: number;
      /**
       * The random share of each delay, 0 to 1: with 0.5 a delay is half to all of its length.
       *
       * @default 0
       */
      readonly jitter?: number | undefined;
    };

/**
 * How often a job is tried. It is stored with the job when it is submitted.
 *
 * @example { attempts: 3, backoff: { kind: "fixed", delayMs: 5_000 } }
 */
export interface RetryPolicy {
  /** How often the handler may fail, 1 to 100. After the last failure the job is `failed`. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /**
   * How many failed attempts and crashes a job may have together, `attempts` to 1,000. A crash of the worker uses up no
   * attempt, so this ends a job that crashes its worker every time. It then fails with `STARTS_EXHAUSTED`.
   *
   * @default attempts + 5
   */
  readonly maxStarts?: number | undefined;
}

const CRASHES_ALLOWED = 5;

/** How many failed attempts and crashes a job may have together. */
export function startsAllowed(retry: RetryPolicy): number {
  return retry.maxStarts ?? retry.attempts + CRASHES_ALLOWED;
}

function longestDelayMs(attempts: number, backoff: Backoff): number {
  if (backoff.kind === "fixed" || attempts < 3) return backoff.delayMs;
  return backoff.delayMs * 2 ** (attempts - 2);
}
