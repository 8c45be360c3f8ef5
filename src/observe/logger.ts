import { type Logger as PinoLogger, pino } from "pino";
import pretty from "pino-pretty";
import { traceId } from "./tracing.ts";

/** Structured log; each line is one event with its fields. */
export type Logger = Pick<PinoLogger, "debug" | "info" | "warn" | "error" | "fatal" | "child">;

/**
 * The log of one process: JSON lines on standard error, pretty where that is a terminal.
 *
 * @param level the least severe level that is written
 * @param role what the process is, on every line: `api`, `worker`, `scheduler`, …
 */
export function createLogger(level: string, role: string): Logger {
  const options = {
    level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: () => {
      const id = traceId();
      return id === undefined ? {} : { traceId: id };
    },
  };
  if (!process.stderr.isTTY) return pino(options, pino.destination({ fd: 2, sync: true }));
  const stream = pretty({
    destination: 2,
    sync: true,
    translateTime: "HH:MM:ss.l",
    ignore: "role",
    messageFormat: "{role} · {msg}",
  });
  return pino(options, stream);
}
