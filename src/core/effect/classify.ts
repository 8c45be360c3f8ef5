import { errorTree, memberOf } from "../../evidence/error-tree.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import {
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "../job/attempt-errors.ts";
import type { EffectVerdict } from "../job/effect.ts";
import { provesNeverSent } from "./outgoing/never-sent.ts";
import type { OutgoingRecord } from "./outgoing/outgoing-record.ts";

/** Something may have been sent, and no answer came. */
const UNANSWERED: ReadonlySet<unknown> = new Set([
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
const UNANSWERED_NAMES: ReadonlySet<unknown> = new Set(["AbortError", "TimeoutError"]);

const OUR_ABORTS: ReadonlySet<string> = new Set([
  "ATTEMPT_TIMED_OUT",
  "CANCELLED",
  "EFFECT_TIMED_OUT",
  "LOCK_LOST",
  "STORE_UNAVAILABLE",
  "WORKER_STOPPING",
]);

/**
 * What an error proves that no classifier has recognised. An error proves nothing, unless it is the effect's own word, or the connection was
 * never made.
 *
 * @param onError what the declaration says of all others
 */
export function classify(
  error: unknown,
  record: OutgoingRecord,
  onError: "in-doubt" | "not-done" = "in-doubt",
): EffectVerdict {
  if (error instanceof InDoubtError) return "unknown";
  if (isWord(error) && !record.isOfInnerEffect(error)) return "not-done";
  if (provesNeverSent(error, record)) return "not-done";
  return onError === "not-done" && !isUnanswered(error) ? "not-done" : "unknown";
}

/** By which an effect says that it did not happen. */
function isWord(error: unknown): error is HoldfastError {
  return (
    error instanceof NotDoneError ||
    error instanceof PermanentError ||
    error instanceof RetryAfterError ||
    error instanceof SnoozeError
  );
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof HoldfastError) return OUR_ABORTS.has(error.code);
  return errorTree(error).some(
    (node) => UNANSWERED.has(memberOf(node, "code")) || UNANSWERED_NAMES.has(memberOf(node, "name")),
  );
}
