import { unreachable } from "./answer.ts";

export type Timer = ReturnType<typeof openTimer>;

/** A signal that a timer aborts, or the caller's own signal. */
export function openTimer(caller?: AbortSignal) {
  const controller = new AbortController();
  const abort = () => controller.abort(caller?.reason);
  if (caller?.aborted === true) abort();
  caller?.addEventListener("abort", abort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  return {
    signal: controller.signal,
    /** Stops the timer, and leaves the signal as it is. */
    stop,
    /** Aborts with `API_UNREACHABLE` after these milliseconds, unless it is set again or stopped before. */
    set(ms: number): void {
      stop();
      timer = setTimeout(() => controller.abort(unreachable(`nothing came within ${Math.round(ms)} ms`)), ms);
    },
    /** Ends whatever still uses the signal. */
    end(): void {
      stop();
      caller?.removeEventListener("abort", abort);
      controller.abort();
    },
  };
}
