import type { Logger } from "../telemetry/logger.ts";

const FRAMES_MAX = 10;

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

function placeOf(fault: unknown): Readonly<Record<string, unknown>> {
  if (!(fault instanceof Error)) return { fault: typeof fault };
  const code = "code" in fault ? { code: String(fault.code) } : {};
  const frames = (fault.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { fault: fault.name, ...code, at: frames.slice(0, FRAMES_MAX).map((line) => line.trim()) };
}
