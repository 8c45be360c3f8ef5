import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";

const RETRY_AFTER_MS = 1_000;
/** Somebody has to look first; jobs whose effects may not begin are looked at again as often. */
const ROLLED_BACK_RETRY_AFTER_MS = 5_000;

/** The store did not answer in time. Whether it did the work is then unknown. */
export function redisUnavailable(cause?: unknown, message = "The store cannot be reached"): HoldfastError {
  return new HoldfastError("STORE_UNAVAILABLE", message, { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** There is no room for new jobs: what is left is for those that run, or the store refused to write. */
export function redisFull(cause?: unknown): HoldfastError {
  return new HoldfastError("STORE_FULL", "The store has no room", { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** The store has lost something that it had acknowledged, and nobody has accepted that yet. */
export function redisRolledBack(): HoldfastError {
  const message = "The store has lost something that it had acknowledged; an operator must look at it first";
  return new HoldfastError("STORE_ROLLED_BACK", message, { retryAfterMs: ROLLED_BACK_RETRY_AFTER_MS });
}

/**
 * Names what went wrong with the store, without its texts: they can hold addresses and key names.
 *
 * @returns `STORE_FULL` when it refused a write for lack of memory, else `STORE_UNAVAILABLE`
 */
export function redisFault(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  if (cause instanceof Error && /\bOOM\b|MISCONF/.test(cause.message)) return redisFull(cause);
  return redisUnavailable(cause);
}

/** Somebody waits no longer than this for the store: with everything around it the answer comes within 2 s. */
const STORE_DEADLINE_MS = 1_500;

/**
 * Waits for the store on behalf of somebody who waits for an answer.
 *
 * @param ms how long @default 1500
 * @throws HoldfastError `STORE_UNAVAILABLE` after `ms` at the latest, `STORE_FULL`
 */
export async function inTime<T>(work: Promise<T>, ms = STORE_DEADLINE_MS): Promise<T> {
  try {
    return await withDeadline(work, ms, redisUnavailable);
  } catch (error) {
    throw redisFault(error);
  }
}
