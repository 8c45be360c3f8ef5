import { HoldfastError } from "../errors/holdfast-error.ts";

const RETRY_AFTER_MS = 1_000;

/** The store did not answer in time. Whether it did the work is then unknown. */
export function storeUnavailable(cause?: unknown): HoldfastError {
  return new HoldfastError("STORE_UNAVAILABLE", "The store cannot be reached", {
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/**
 * Names what went wrong with the store, without its texts: they can hold addresses and key names.
 *
 * @returns `STORE_FULL` when it refused a write for lack of memory, else `STORE_UNAVAILABLE`
 */
export function storeFault(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  if (cause instanceof Error && /\bOOM\b|MISCONF/.test(cause.message)) {
    return new HoldfastError("STORE_FULL", "The store has no room", { cause, retryAfterMs: RETRY_AFTER_MS });
  }
  return storeUnavailable(cause);
}
