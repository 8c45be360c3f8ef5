import { HoldfastError } from "../errors/holdfast-error.ts";
import { delayMsOf } from "../lib/delay-ms.ts";

/** A handler throws this when trying again cannot help: the job is `failed` at once. */
export class PermanentError extends HoldfastError {
  override readonly name = "PermanentError";

  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("PERMANENT_FAILURE", message, options);
  }
}

/** A handler throws this to set the delay before the next attempt. It uses up an attempt like any failure. */
export class RetryAfterError extends HoldfastError {
  override readonly name = "RetryAfterError";
  override readonly retryAfterMs: number;

  /** @param ms milliseconds until the next attempt, 0 to a year; beyond it counts as the nearer end, no number as 0 */
  constructor(
    ms: number,
    message = `The handler asked to be tried again in ${delayMsOf(ms)} ms`,
    options: { readonly cause?: unknown } = {},
  ) {
    super("HANDLER_FAILED", message, options);
    this.retryAfterMs = delayMsOf(ms);
  }
}

/**
 * Nobody can know whether a side effect happened.
 *
 * An effect may throw it, to say so itself; it is also what `effect(…)` throws for one that is in doubt.
 */
export class InDoubtError extends HoldfastError {
  override readonly name = "InDoubtError";
  /** Whether a later attempt may learn more, e.g. from a probe. */
  override readonly retryable: boolean;

  constructor(message: string, options: { readonly cause?: unknown; readonly retryable?: boolean } = {}) {
    super("EFFECT_IN_DOUBT", message, options);
    this.retryable = options.retryable ?? false;
  }
}
