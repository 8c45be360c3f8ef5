import { types } from "node:util";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { InDoubtError } from "../attempt-errors.ts";
import { type Classify, isOwn, type NotDone } from "../classifier.ts";
import { errorTree, saysUnanswered } from "../error-tree.ts";
import { disagreement } from "./agreement.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { isOfAnotherEffect, isOwnWord } from "./own-word.ts";

const OUR_ABORTS: ReadonlySet<string> = new Set([
  "ATTEMPT_TIMED_OUT",
  "CANCELLED",
  "EFFECT_TIMED_OUT",
  "LOCK_LOST",
  "STORE_UNAVAILABLE",
  "WORKER_STOPPING",
]);

/** It did not happen, and nothing more is known. */
export const NOT_DONE: NotDone = { verdict: "not-done" };

/** Nobody can know whether it happened. */
export interface Unknown {
  readonly verdict: "unknown";
  /** Why a classifier's "not done" was not believed. */
  readonly because?: string | undefined;
  /** Nothing recognised the error. */
  readonly isUnexplained?: boolean;
}

/** What a run of an effect is judged by. */
export interface Trial {
  /** As the effect's function threw it. */
  readonly thrown: unknown;
  /** What the run was seen to send. */
  readonly record: OutgoingRecord;
  /** The effect's. */
  readonly key: string;
  /** They are asked in turn. One that returns anything but a verdict proves nothing. */
  readonly classifiers: readonly (Classify | undefined)[];
  /** What the declaration says. */
  readonly declared: { readonly onError?: "in-doubt" | "not-done"; readonly actsBy?: "GET" };
}

/**
 * Decides what a failed run of an effect means: it did not happen, or nobody can know. An error proves nothing by itself. It does if it is the
 * effect's own word, or if a classifier says what it means and the record of what was sent agrees.
 *
 * @throws what a classifier throws; TypeError for one that answers later
 */
export function verdictOn(trial: Trial): NotDone | Unknown {
  const { thrown, record, key, classifiers, declared } = trial;
  const seen = record.seen();
  let said: unknown;
  for (const classify of classifiers) said ??= classify?.(thrown, seen);
  if (types.isPromise(said)) {
    // Nothing else waits for it: where it fails, Node.js would end the process, with all else that runs.
    said.catch(() => {});
    throw new TypeError("a classifier must answer at once, and this one returned a promise");
  }
  if (said === undefined || said === null) return verdictWithoutClassifier(trial);
  const verdict = readVerdict(said);
  if (verdict.verdict === "unknown" || isOwnWord(thrown, key)) return verdict;
  const because = isOfAnotherEffect(thrown, key)
    ? "it is the error of another effect"
    : disagreement(record, declared.actsBy);
  return because === undefined ? verdict : { verdict: "unknown", because };
}

function readVerdict(said: unknown): NotDone | Unknown {
  if (said === "not-done") return NOT_DONE;
  const { verdict, retryAfterMs, permanent }: Partial<NotDone> = Object(said);
  if (verdict !== "not-done") return { verdict: "unknown" };
  return {
    verdict,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    permanent: permanent === true,
  };
}

function verdictWithoutClassifier({ thrown, record, key, declared }: Trial): NotDone | Unknown {
  if (isOwn(thrown) && thrown instanceof InDoubtError) return { verdict: "unknown" };
  if (isOwnWord(thrown, key)) return NOT_DONE;
  const isVouchedFor =
    declared.onError === "not-done" &&
    !isUnanswered(thrown) &&
    !record.isUnderWay() &&
    !isOfAnotherEffect(thrown, key);
  return isVouchedFor ? NOT_DONE : { verdict: "unknown", isUnexplained: true };
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof HoldfastError) return OUR_ABORTS.has(error.code);
  return errorTree(error).some(saysUnanswered);
}
