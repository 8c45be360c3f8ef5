import type { EffectVerdict, NotDone } from "../../evidence/classifier.ts";
import { errorCode, errorTree, NEVER_SENT, saysUnanswered } from "../../evidence/error-tree.ts";
import type { OutgoingRecord } from "../../evidence/outgoing/outgoing-record.ts";
import { isWrittenSince } from "../../evidence/outgoing/watch-outgoing.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import {
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "../job/attempt-errors.ts";
import type { EffectContext, EffectRun } from "./effect-run.ts";

const OUR_ABORTS: ReadonlySet<string> = new Set([
  "ATTEMPT_TIMED_OUT",
  "CANCELLED",
  "EFFECT_TIMED_OUT",
  "LOCK_LOST",
  "STORE_UNAVAILABLE",
  "WORKER_STOPPING",
]);

export const notDone: NotDone = { verdict: "not-done" };

/**
 * Decides what a failed run of an effect means: it did not happen, or nobody can know. The effect's own classifier is asked first, then
 * that of its declaration. A classifier that throws, or returns anything but a verdict, proves nothing.
 */
export function verdictOn<T>(
  { id, options, declaration }: EffectRun<T>,
  { log, scrub }: EffectContext,
  thrown: unknown,
  record: OutgoingRecord,
): NotDone | "unknown" {
  try {
    const seen = record.seen();
    const verdict: unknown =
      options.classify?.(thrown, seen) ??
      declaration.classify?.(thrown, seen) ??
      classify(thrown, record, declaration.onError);
    return readVerdict(verdict);
  } catch (fault) {
    log().warn({ effect: id, reason: scrub(messageOf(fault)) }, "the effect's classifier failed");
    return "unknown";
  }
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
 *
 * @param onError what the declaration says of all others
 */
function classify(
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
