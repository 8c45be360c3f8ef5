import { types } from "node:util";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { InDoubtError, PermanentError, RetryAfterError } from "../job/attempt-errors.ts";
import type { EffectVerdict } from "../job/effect.ts";

/** The connection was never made, so nothing was sent. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
  "ECONNREFUSED",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Something may have been sent, and no answer came. */
const UNANSWERED: ReadonlySet<string> = new Set([
  "ABORT_ERR",
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ESOCKETTIMEDOUT",
  "ETIMEDOUT",
  "UND_ERR_ABORTED",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_SOCKET",
]);

const OUR_ABORTS: ReadonlySet<string> = new Set([
  "ATTEMPT_TIMED_OUT",
  "CANCELLED",
  "EFFECT_TIMED_OUT",
  "LOCK_LOST",
  "STORE_UNAVAILABLE",
  "WORKER_STOPPING",
]);

const CAUSES_MAX = 5;

/**
 * What a thrown error says about whether the effect happened.
 *
 * Refused or never sent: not done. Time-outs, aborts, and connections lost on the way: unknown. Any other error was the effect's own
 * decision: not done.
 */
export function classify(error: unknown): EffectVerdict {
  if (error instanceof PermanentError || error instanceof RetryAfterError) return "not-done";
  if (error instanceof InDoubtError) return "unknown";
  if (error instanceof HoldfastError) return OUR_ABORTS.has(error.code) ? "unknown" : "not-done";
  for (const cause of causes(error)) {
    const code = "code" in cause ? String(cause.code) : "";
    if (NEVER_SENT.has(code)) return "not-done";
    if (UNANSWERED.has(code) || cause.name === "AbortError" || cause.name === "TimeoutError")
      return "unknown";
  }
  return "not-done";
}

/** The error and its causes: clients wrap the one that matters. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let next = error; isError(next) && chain.length < CAUSES_MAX; next = next.cause) chain.push(next);
  return chain;
}

/** In a test runner that gives tests globals of their own, Node's errors are no instances of their `Error`. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
