import { apiUnreachable } from "./answer.ts";

/** A signal that a timer aborts, or the caller's own signal. */
export interface Timer {
  readonly signal: AbortSignal;
  /** Aborts with `API_UNREACHABLE` after these milliseconds, unless it is set again or stopped before. */
  set(ms: number): void;
  /** Stops the timer, and leaves the signal as it is. */
  stop(): void;
  /** Ends whatever still uses the signal. */
  end(): void;
}

/** Who waits for a caller's signal. It has one listener, however many calls wait: from the eleventh on, Node.js would warn of a leak. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Returns a signal of this call's own, which is aborted with the caller's.
 *
 * @returns `release` lets go of the caller's signal
 */
export function ownSignal(caller?: AbortSignal) {
  const controller = new AbortController();
  const abort = () => controller.abort(caller?.reason);
  if (caller === undefined) return { controller, release: () => {} };
  if (caller.aborted) abort();
  const calls = waiting.get(caller) ?? listenTo(caller);
  calls.add(abort);
  return { controller, release: () => void calls.delete(abort) };
}

function listenTo(caller: AbortSignal): Set<() => void> {
  const calls = new Set<() => void>();
  waiting.set(caller, calls);
  caller.addEventListener("abort", () => calls.forEach((abort) => void abort()), { once: true });
  return calls;
}

export function openTimer(caller?: AbortSignal): Timer {
  const { controller, release } = ownSignal(caller);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  return {
    signal: controller.signal,
    stop,
    set(ms) {
      stop();
      timer = setTimeout(
        () => controller.abort(apiUnreachable(`nothing came within ${Math.round(ms)} ms`)),
        ms,
      );
    },
    end() {
      stop();
      release();
      controller.abort();
    },
  };
}
