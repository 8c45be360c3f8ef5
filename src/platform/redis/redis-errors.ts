import { setTimeout as pause } from "node:timers/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";

/** What ioredis says of a command whose connection is closed. BullMQ knows it by this text. */
export const CONNECTION_CLOSED = "Connection is closed.";

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

/** Throws what `redisFault` returns. */
export function throwRedisFault(cause: unknown): never {
  throw redisFault(cause);
}

const SLOT_OPEN = "The queue is being moved to another Redis master, or was left half moved";

const TOO_SLOW = "The store did not answer in time: it cannot be reached, or is busy";

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
    return await withDeadline(work, ms, () => redisUnavailable(undefined, TOO_SLOW));
  } catch (error) {
    throw redisFault(error);
  }
}

/**
 * Waits for Redis several times for one answer, together no longer than `inTime` does once: what a processor takes in between is not
 * Redis's fault.
 *
 * @param ms how long at most, in milliseconds @default 1500
 */
export function inTimeTogether(ms = DEADLINE_MS): <T>(work: Promise<T>) => Promise<T> {
  let leftMs = ms;
  return async (work) => {
    const since = performance.now();
    try {
      return await inTime(work, Math.max(0, leftMs));
    } finally {
      leftMs -= performance.now() - since;
    }
  };
}

/** Error replies that mean: not run, and may run later. */
const NOT_RUN =
  /\b(?:OOM|MISCONF|NOREPLICAS|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ASK(?= \d)|BUSY|NOAUTH|NOPERM)\b/;
/** The client's own errors: the connection was lost, or never made. */
const NO_REPLY =
  /Connection is closed|Stream isn't writeable|Command aborted|max retries per request|Failed to refresh slots cache|belongs to another command|None of startup nodes|socket timeout/i;
const NO_REPLY_CODE = /^E[A-Z_]+$/;

const FIRST_PAUSE_MS = 20;
const PAUSE_MAX_MS = 1_000;

/**
 * Whether Redis did not answer a command: it refused to run it for now, or was not reached. A "no" that a script returns is an
 * answer, and so is an error that would come back each time.
 */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof HoldfastError)
    return error.code === "STORE_FULL" || error.code === "STORE_UNAVAILABLE";
  if (!(error instanceof Error)) return false;
  if (error.name === "ReplyError") return NOT_RUN.test(error.message);
  return NO_REPLY.test(error.message) || ("code" in error && NO_REPLY_CODE.test(String(error.code)));
}

export interface UntilAnsweredOptions {
  /** Called before each repetition: whether the answer still matters, because the worker still has the job. */
  readonly isLeased: () => boolean | Promise<boolean>;
  /** Called once, with the first error. */
  readonly onRefused?: (error: unknown) => void;
}

/**
 * Sends a step again, with backoff, until Redis answers it. The step must be safe to repeat: Redis may have run it before its
 * reply was lost.
 *
 * @throws the error of the last try, when it is an answer or `isLeased` returned false
 */
export function untilAnswered<T>(work: () => Promise<T>, options: UntilAnsweredOptions): Promise<T> {
  // Most calls are answered at once, so they take the short way (row `work`).
  return work().catch((error: unknown) => {
    if (!isUnanswered(error)) throw error;
    options.onRefused?.(error);
    return repeat(work, options, error);
  });
}

async function repeat<T>(
  work: () => Promise<T>,
  { isLeased }: UntilAnsweredOptions,
  firstError: unknown,
): Promise<T> {
  let unanswered = firstError;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    await pause(pauseMs);
    if (!(await isLeased())) throw unanswered;
    try {
      return await work();
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      unanswered = error;
    }
  }
}
