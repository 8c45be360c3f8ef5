import { setTimeout as pause } from "node:timers/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";

/** Error replies that mean: not run, and may run later. */
const NOT_RUN =
  /\b(?:OOM|MISCONF|NOREPLICAS|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ASK(?= \d)|BUSY|NOAUTH|NOPERM)\b/;
/** The client's own errors: the connection was lost, or never made. */
const NO_REPLY =
  /Connection is closed|Command aborted|max retries per request|Failed to refresh slots cache|None of startup nodes|socket timeout/i;
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
