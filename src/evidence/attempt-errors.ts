import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { delayMsOf } from "../platform/lib/delay-ms.ts";
import type { Outgoing } from "./outgoing/outgoing.ts";

const words = new WeakSet<object>();

/** Whether an error was made as a word of its own: what stands for another's, as a proxy of it or an object that inherits from it, was not. */
export function isMadeWord(error: object): error is HoldfastError {
  return words.has(error);
}

/**
 * Thrown by a handler when another attempt cannot help: the job is `failed` at once with `PERMANENT_FAILURE`.
 *
 * @example throw new PermanentError("there is no such customer")
 */
export class PermanentError extends HoldfastError {
  override readonly name = "PermanentError";

  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("PERMANENT_FAILURE", message, options);
    words.add(this);
  }
}

/**
 * Thrown by a handler to set the delay before the next attempt. It uses up an attempt like any failure.
 *
 * @example throw new RetryAfterError(30_000, "the bank is closed")
 */
export class RetryAfterError extends HoldfastError {
  override readonly name = "RetryAfterError";
  override readonly retryAfterMs: number;

  /** @param ms milliseconds until the next attempt, clamped to 0 … a year; what is not a number counts as 0 */
  constructor(
    ms: number,
    message = `The handler asked to be tried again in ${delayMsOf(ms)} ms`,
    options: { readonly cause?: unknown } = {},
  ) {
    super("HANDLER_FAILED", message, options);
    this.retryAfterMs = delayMsOf(ms);
    words.add(this);
  }
}

/**
 * Thrown by a handler to be called again later, without using up an attempt: what it waits for is not there yet. A job can be snoozed
 * 100 times, and until 30 days after its submission; then it is `failed` with `SNOOZES_EXHAUSTED`.
 *
 * @example if (!(await isUploaded(payload.file))) throw new SnoozeError(60_000);
 */
export class SnoozeError extends HoldfastError {
  override readonly name = "SnoozeError";
  override readonly retryAfterMs: number;

  /** @param ms milliseconds until the next call, clamped to 0 … a year; what is not a number counts as 0 */
  constructor(ms: number, message = `The handler asked to be called again in ${delayMsOf(ms)} ms`) {
    super("SNOOZED", message);
    this.retryAfterMs = delayMsOf(ms);
    words.add(this);
  }
}

/**
 * Thrown by the function of an effect: it did not happen. Without this word, an error proves nothing, and the effect is in doubt. The job
 * is retried as its policy says, `retryAfterMs` later if given, or not at all if `permanent`.
 *
 * @example throw new NotDoneError("the card is declined", { permanent: true })
 */
export class NotDoneError extends HoldfastError {
  override readonly name = "NotDoneError";

  constructor(
    reason: string,
    options: {
      /** Milliseconds until the next attempt, clamped to 0 … a year. @default as the retry policy says */
      readonly retryAfterMs?: number | undefined;
      /** Whether trying again cannot help. @default false */
      readonly permanent?: boolean | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    const { retryAfterMs, permanent, cause } = options;
    super(permanent === true ? "PERMANENT_FAILURE" : "HANDLER_FAILED", reason, {
      cause,
      retryAfterMs: retryAfterMs === undefined ? undefined : delayMsOf(retryAfterMs),
    });
    words.add(this);
  }
}

/** A doubt that no job waits for. */
export interface DoubtOfCall {
  /** With the effect's name, what resolves it: `holdfast doubts resolve ID EFFECT`. */
  readonly id: string;
  readonly effect: string;
  /** What the effect may have passed downstream: look for it there. */
  readonly effectKey: string;
  /** ISO 8601. */
  readonly since: string;
  readonly reason: string;
  /** What the effect's process saw it send. Empty means "not seen", never "nothing". */
  readonly evidence: readonly Outgoing[];
}

/**
 * Nobody can know whether a side effect happened.
 *
 * `effect(…)` throws it. The function of an effect may throw it too, when it finds out that it cannot know. Thrown outside an
 * effect, it counts as a `PermanentError`, since there is nothing to resolve.
 *
 * @example throw new InDoubtError("the bank closed the connection after the charge was sent")
 */
export class InDoubtError extends HoldfastError {
  override readonly name = "InDoubtError";
  /** Whether a later attempt may find out, e.g. by a probe. @default false */
  override readonly retryable: boolean;
  /** What is known of it. Only where a guard throws it. */
  readonly doubt: DoubtOfCall | undefined;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean; readonly doubt?: DoubtOfCall } = {},
  ) {
    const { cause, doubt, retryable = false } = options;
    super(doubt === undefined ? "EFFECT_IN_DOUBT" : "IN_DOUBT", message, { cause, doubtId: doubt?.id });
    this.retryable = retryable;
    this.doubt = doubt;
  }
}

/** Another process runs the effect now. Only a guard throws it. */
export class EffectBusyError extends HoldfastError {
  override readonly name = "EffectBusyError";

  /** @param retryAfterMs milliseconds until the other one's time is over: then the effect is done, or in doubt */
  constructor(message: string, retryAfterMs: number) {
    super("EFFECT_BUSY", message, { retryAfterMs });
  }
}
