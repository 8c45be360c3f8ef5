import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import {
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "../attempt-errors.ts";
import type { Classify, EffectVerdict, NotDone } from "../classifier.ts";
import { errorCode, errorTree, NEVER_SENT, saysUnanswered } from "../error-tree.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { isWrittenSince } from "./watch-outgoing.ts";

const OUR_ABORTS: ReadonlySet<string> = new Set([
  "ATTEMPT_TIMED_OUT",
  "CANCELLED",
  "EFFECT_TIMED_OUT",
  "LOCK_LOST",
  "STORE_UNAVAILABLE",
  "WORKER_STOPPING",
]);

/** It did not happen, and nothing more is known. */
export const notDone: NotDone = { verdict: "not-done" };

/**
 * Decides what a failed run of an effect means: it did not happen, or nobody can know.
 *
 * @param record what the run was seen to send
 * @param judges whose classifiers are asked in turn. One that returns anything but a verdict proves nothing
 * @param onError what the declaration says of errors that nothing explains
 * @throws what a classifier throws
 */
export function verdictOn(
  thrown: unknown,
  record: OutgoingRecord,
  judges: readonly { readonly classify?: Classify }[],
  onError: "in-doubt" | "not-done" = "in-doubt",
): NotDone | "unknown" {
  const seen = record.seen();
  let verdict: unknown;
  for (const judge of judges) verdict ??= judge.classify?.(thrown, seen);
  return readVerdict(verdict ?? classify(thrown, record, onError));
}

function readVerdict(verdict: unknown): NotDone | "unknown" {
  if (verdict === "not-done") return notDone;
  const { verdict: word, retryAfterMs, permanent }: Partial<NotDone> = Object(verdict);
  if (word !== "not-done") return "unknown";
  return {
    verdict: word,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    permanent: permanent === true,
  };
}

/**
 * What an error proves that no classifier has recognised. An error proves nothing, unless it is the effect's own word, or the connection was
 * never made.
 */
function classify(error: unknown, record: OutgoingRecord, onError: "in-doubt" | "not-done"): EffectVerdict {
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
  return errorTree(error).some(saysUnanswered);
}

/**
 * Whether an error says that no connection was made, and this run of the effect has sent nothing before: clients send again by themselves,
 * and only their last error is seen. Where the connection itself was not seen, nothing is proved.
 */
function provesNeverSent(error: unknown, record: OutgoingRecord): boolean {
  const isRefused = errorTree(error).some((node) => NEVER_SENT.has(errorCode(node)));
  if (!isRefused || !record.hasOnlyFailed) return false;
  return !isWrittenSince(record.hosts, record.startedAt);
}
