import type { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/** The exit codes of commands. */
export const exitCode = { done: 0, failed: 1, usage: 2, redisUnavailable: 3 } as const;

export function exitCodeOf(error: HoldfastError): number {
  if (error.code === "USAGE") return exitCode.usage;
  if (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_REFUSED") return exitCode.redisUnavailable;
  return exitCode.failed;
}
