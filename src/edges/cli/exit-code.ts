import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

export const exitCode = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

const unreachable: ReadonlySet<ErrorCode> = new Set([
  "STORE_UNAVAILABLE",
  "STORE_REFUSED",
  "DATABASE_UNAVAILABLE",
]);

/** What is named and is not there is wrong usage; a job, an act, a worker or a row may have been there before. */
const wronglyCalled: ReadonlySet<ErrorCode> = new Set([
  "USAGE",
  "UNKNOWN_JOB_TYPE",
  "QUEUE_NOT_FOUND",
  "SCHEDULE_NOT_FOUND",
  "RECEIVER_NOT_FOUND",
]);

export function exitCodeOf(error: HoldfastError): number {
  if (wronglyCalled.has(error.code)) return exitCode.usage;
  if (unreachable.has(error.code)) return exitCode.unreachable;
  return exitCode.failed;
}

/** A command that was called wrongly. */
export function usage(message: string, options?: { readonly cause: unknown }): HoldfastError {
  return new HoldfastError("USAGE", message, options);
}
