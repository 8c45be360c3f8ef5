import { pino } from "pino";
import type { Logger } from "../../../platform/lib/logger.ts";
import { placeOf } from "../../../platform/lib/thrown.ts";
import { createLogger, loggerOptions } from "../../../platform/telemetry/create-logger.ts";

/** The log of a process of our own: as `createLogger`, but pretty if standard error is a terminal. */
export async function openProcessLog(level: string, role: string): Promise<Logger> {
  if (!process.stderr.isTTY) return createLogger(level, role);
  const { default: pretty } = await import("pino-pretty");
  const hooks = { streamWrite: withoutControls };
  const stream = pretty({
    destination: 2,
    sync: true,
    translateTime: "HH:MM:ss.l",
    ignore: "role",
    messageFormat,
  });
  const log: Logger = pino({ ...loggerOptions(level, role), hooks }, stream);
  return log;
}

/** A later line of a message stands under its first, as fields do: none can look like a line of the log. */
export function messageFormat({ role, msg }: Readonly<Record<string, unknown>>): string {
  return `${role} · ${String(msg ?? "").replaceAll("\n", "\n    ")}`;
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

/**
 * Ends this process on an uncaught exception or unhandled rejection. Nobody knows what it left half done; its jobs stall and
 * run again elsewhere.
 *
 * The log has the fault's name, code and place, but not its text, which may hold personal data.
 *
 * Only for processes of our own, never when embedded.
 */
export function endOnFault(log: Logger): void {
  process.on("uncaughtException", (fault: unknown, origin) => {
    log.fatal({ origin, ...placeOf(fault) }, "unhandled fault; the process ends");
    process.exit(1);
  });
}
