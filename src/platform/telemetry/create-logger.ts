import { pino } from "pino";
import type { Logger } from "../lib/logger.ts";
import { traceId } from "./tracing.ts";

/** What every line of our own logs has. */
export function loggerOptions(level: string, role: string) {
  return {
    level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: () => {
      const id = traceId();
      return id === undefined ? {} : { traceId: id };
    },
  };
}

/**
 * The log of one role: JSON lines on standard error.
 *
 * @param level the least severe level that is written
 * @param role on every line: `api`, `worker`, `scheduler`, …
 */
export function createLogger(level: string, role: string): Logger {
  return pino(loggerOptions(level, role), pino.destination({ fd: 2, sync: true }));
}
