import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { wait } from "../../platform/lib/wait.ts";
import { ownSignal } from "./timer.ts";

const PAUSE_MS = { first: 100, most: 5_000 };

export interface ResendOptions {
  /** How long to try, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tries until it succeeds, or the time is up. Only for what is safe to repeat.
 *
 * @param attempt gets the milliseconds that are left
 * @throws the last failure; the signal's reason if that is aborted
 */
export async function resend<T>(
  attempt: (leftMs: number) => Promise<T>,
  { timeoutMs, signal }: ResendOptions,
): Promise<T> {
  const endAt = performance.now() + timeoutMs;
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt(Math.max(1, endAt - performance.now()));
    } catch (thrown) {
      if (!canPass(thrown)) throw thrown;
      const pauseMs = pauseAfter(failures) + (thrown.retryAfterMs ?? 0);
      if (performance.now() + pauseMs >= endAt) throw thrown;
      await pause(pauseMs, signal);
    }
  }
}

/** Whether the same request can succeed later. */
export function canPass(thrown: unknown): thrown is HoldfastError {
  if (!(thrown instanceof HoldfastError)) return false;
  // Without `Retry-After` the request alone exceeds the limit.
  const isTooMuch = thrown.code === "RATE_LIMITED" && thrown.retryAfterMs === undefined;
  return thrown.retryable && !isTooMuch;
}

/** Milliseconds; jittered, so that clients that failed together do not come back together. */
export function pauseAfter(failures: number): number {
  const most = Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** Math.min(failures, 10));
  return most * (0.5 + Math.random() / 2);
}

/** @throws the signal's reason, when it is aborted */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const { controller, release } = ownSignal(signal);
  await wait(ms, controller.signal);
  release();
  signal?.throwIfAborted();
}
