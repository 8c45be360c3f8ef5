import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";

const RETRY_AFTER_MS = 1_000;
/** Somebody has to look first. Jobs whose effects may not begin are retried as often. */
const ROLLED_BACK_RETRY_AFTER_MS = 5_000;

/** Redis did not answer in time: whether it did the work is unknown. */
export function redisUnavailable(cause?: unknown, message = "The store cannot be reached"): HoldfastError {
  return new HoldfastError("STORE_UNAVAILABLE", message, { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** The rest of the memory is for running jobs, or Redis refused to write. */
export function redisFull(cause?: unknown): HoldfastError {
  return new HoldfastError("STORE_FULL", "The store has no room", { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** Redis has lost acknowledged data, and nobody has accepted that. */
export function redisRolledBack(): HoldfastError {
  const message = "The store has lost data that it had acknowledged; an operator must look at it first";
  return new HoldfastError("STORE_ROLLED_BACK", message, { retryAfterMs: ROLLED_BACK_RETRY_AFTER_MS });
}

/**
 * Names a fault of Redis without its texts, which can hold addresses and key names.
 *
 * @returns `STORE_FULL` when it refused a write for lack of memory, else `STORE_UNAVAILABLE`
 */
export function redisFault(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  if (cause instanceof Error && /\bOOM\b|MISCONF/.test(cause.message)) return redisFull(cause);
  if (cause instanceof Error && cause.message.startsWith("TRYAGAIN "))
    return redisUnavailable(cause, SLOT_OPEN);
  return redisUnavailable(cause);
}

const SLOT_OPEN = "The queue is being moved to another Redis master, or was left half moved";

/** With everything around it, the answer then comes within 2 s. */
const DEADLINE_MS = 1_500;
/** How long each step of a process's start waits for Redis, in milliseconds: nobody waits for an answer yet. */
export const START_DEADLINE_MS = 5_000;

/**
 * Waits for Redis where somebody waits for an answer.
 *
 * @param ms how long at most, in milliseconds @default 1500
 * @throws HoldfastError `STORE_UNAVAILABLE` after `ms` at the latest, `STORE_FULL`
 */
export async function inTime<T>(work: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  try {
    return await withDeadline(work, ms, redisUnavailable);
  } catch (error) {
    throw redisFault(error);
  }
}
