import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

export const exitCode = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

const unreachable: ReadonlySet<ErrorCode> = new Set([
  "STORE_UNAVAILABLE",
  "STORE_REFUSED",
  "DATABASE_UNAVAILABLE",
]);

export function exitCodeOf(error: HoldfastError): number {
  if (error.code === "USAGE") return exitCode.usage;
  if (unreachable.has(error.code)) return exitCode.unreachable;
  return exitCode.failed;
}

/** A command that was called wrongly. */
export function usage(message: string, options?: { readonly cause: unknown }): HoldfastError {
  return new HoldfastError("USAGE", message, options);
}
