import { setTimeout as pause } from "node:timers/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";

/** Error replies with which Redis says that it did not run the command, and may run it later. */
const NOT_RUN =
  /\b(?:OOM|MISCONF|NOREPLICAS|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOAUTH|NOPERM)\b/;
/** Errors of the client's own: the connection was lost, or never made. */
const NO_REPLY =
  /Connection is closed|Command aborted|max retries per request|Failed to refresh slots cache|None of startup nodes|socket timeout/i;
const NO_REPLY_CODE = /^E[A-Z_]+$/;

const FIRST_PAUSE_MS = 20;
const PAUSE_MAX_MS = 1_000;

/**
 * Whether Redis gave no answer to a command: it refused to run it for now, or was not reached. A "no" that a script
 * returns is an answer, and so is an error that would come back each time.
 */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof HoldfastError)
    return error.code === "STORE_FULL" || error.code === "STORE_UNAVAILABLE";
  if (!(error instanceof Error)) return false;
  if (error.name === "ReplyError") return NOT_RUN.test(error.message);
  return NO_REPLY.test(error.message) || ("code" in error && NO_REPLY_CODE.test(String(error.code)));
}

export interface UntilAnsweredOptions {
  /** Asked before each repetition: whether the answer still matters, e.g. because the job's lock is held. */
  readonly isLeased: () => boolean | Promise<boolean>;
  /** Called once, with the first error. */
  readonly onRefused?: (error: unknown) => void;
}

/**
 * Sends a step again, with back-off, until Redis answers it. The step must be safe to repeat: Redis may have run it,
 * and only the reply was lost.
 *
 * @throws the error of the last try, when it is an answer or `isHeld` said no
 */
export async function untilAnswered<T>(
  work: () => Promise<T>,
  { isLeased, onRefused }: UntilAnsweredOptions,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      if (pauseMs === FIRST_PAUSE_MS) onRefused?.(error);
      await pause(pauseMs);
      if (!(await isLeased())) throw error;
    }
  }
}
