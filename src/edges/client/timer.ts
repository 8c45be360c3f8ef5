import { unreachable } from "./answer.ts";

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

export function openTimer(caller?: AbortSignal): Timer {
  const controller = new AbortController();
  const abort = () => controller.abort(caller?.reason);
  if (caller?.aborted === true) abort();
  caller?.addEventListener("abort", abort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  return {
    signal: controller.signal,
    stop,
    set(ms) {
      stop();
      timer = setTimeout(() => controller.abort(unreachable(`nothing came within ${Math.round(ms)} ms`)), ms);
    },
    end() {
      stop();
      caller?.removeEventListener("abort", abort);
      controller.abort();
    },
  };
}
