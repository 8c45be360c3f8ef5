import type { Logger } from "../telemetry/logger.ts";

/** Long enough to find the place, short enough for one line of a log. */
const FRAMES_MAX = 10;

/**
 * Ends this process when a fault reaches nobody: an exception, or a rejection that no code waits for. What it has left
 * half done is unknown from then on, so nothing of it may go on; its jobs are found as stalled and run again.
 *
 * The fault's own text may hold anything, also somebody's data: the log tells its name, its code and its place.
 *
 * To be called by whoever owns the process, never by a library in somebody else's.
 */
export function endOnFault(log: Logger): void {
  process.on("uncaughtException", (fault: unknown, origin) => {
    log.fatal({ origin, ...placeOf(fault) }, "a fault that nobody caught; the process ends");
    process.exit(1);
  });
}

function placeOf(fault: unknown): Readonly<Record<string, unknown>> {
  if (!(fault instanceof Error)) return { fault: typeof fault };
  const code = "code" in fault ? { code: String(fault.code) } : {};
  const frames = (fault.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { fault: fault.name, ...code, at: frames.slice(0, FRAMES_MAX).map((line) => line.trim()) };
}
