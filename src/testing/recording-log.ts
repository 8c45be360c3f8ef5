import { pino } from "pino";
import type { Logger } from "../platform/lib/logger.ts";

/** A line of the log of an attempt. */
export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error" | "fatal";
  readonly message: string;
  /** As JSON, which is how a log shows them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its lines in memory. */
export function recordingLog(lines: LoggedLine[]): Logger {
  const options = { level: "debug", base: null, timestamp: false, formatters: { level: named } } as const;
  const log = pino(options, {
    write(json: string) {
      const { level, msg, ...fields } = JSON.parse(json);
      lines.push({ level, message: msg, fields: asNamed(fields) });
    },
  });
  // A child would repeat on each line which attempt it is of.
  return Object.assign(log, { child: () => log }) as Logger;
}

/** Here no name of Holdfast's own is in the way of the handler's. */
function asNamed(fields: object): LoggedLine["fields"] {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.replace(/^handler\./, ""), value]),
  );
}

function named(level: string) {
  return { level };
}
