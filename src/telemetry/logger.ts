import { type Logger as PinoLogger, pino } from "pino";
import pretty from "pino-pretty";
import { traceId } from "./tracing.ts";

/** A structured log. Each line has a message and fields. */
export type Logger = Pick<PinoLogger, "debug" | "info" | "warn" | "error" | "fatal" | "child">;

/**
 * The log of one process: JSON lines on standard error, or pretty ones if that is a terminal.
 *
 * @param level the least severe level that is written
 * @param role on every line: `api`, `worker`, `scheduler`, …
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
  const hooks = { streamWrite: withoutControls };
  const stream = pretty({
    destination: 2,
    sync: true,
    translateTime: "HH:MM:ss.l",
    ignore: "role",
    messageFormat: "{role} · {msg}",
  });
  return pino({ ...options, hooks }, stream);
}

/**
 * Replaces control characters, also escaped ones, in a line of JSON: errors quote hostile texts, which could command a terminal.
 *
 * Line ends and tabs stay, because stacks have them.
 */
export function withoutControls(line: string): string {
  const text = line.replace(/\\(?:u00(?:[01][0-9a-f]|7f)|.)/gi, (found) =>
    /^\\(?:u00|[bfr])/i.test(found) ? "·" : found,
  );
  return text.replace(/(?!\n$)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "·");
}
