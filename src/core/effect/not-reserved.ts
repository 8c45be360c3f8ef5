import type { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { redisFault } from "../../platform/redis/redis-errors.ts";

const faults = new WeakSet<HoldfastError>();

/**
 * Marks a fault of Redis for which an effect was not reserved, so it has not begun. The code alone would not do: a handler can
 * throw the same one for reasons of its own.
 */
export function notReserved(error: unknown): HoldfastError {
  const fault = redisFault(error);
  faults.add(fault);
  return fault;
}

export function isNotReserved(fault: HoldfastError): boolean {
  return faults.has(fault);
}
