import type { Logger } from "../lib/logger.ts";
import type { AttemptEnd, Events } from "./events.ts";

const ends: Readonly<Record<Exclude<AttemptEnd["kind"], "failed" | "deferred">, string>> = {
  completed: "attempt completed",
  released: "job released",
};

/** Logs how attempts end: failures at warn, completed ones at debug, since they would flood the log. */
export function logAttempts(events: Events, log: Logger): void {
  events.on("attempt.ended", ({ id: jobId, type, attemptsMade }, end, durationMs) => {
    const fields = { jobId, type, attempt: attemptsMade + 1, durationMs: Math.round(durationMs) };
    if (end.kind === "failed")
      log.warn({ ...fields, ...end.failure, err: { stack: end.trace } }, "attempt failed");
    else if (end.kind === "deferred") log.info({ ...fields, code: end.code }, "job deferred");
    else log[end.kind === "completed" ? "debug" : "info"](fields, ends[end.kind]);
  });
}

export function logTicks(events: Events, log: Logger): void {
  events.on("tick.enqueued", (tick) => log.info(tick, "tick enqueued"));
  events.on("tick.duplicate", (tick) => log.debug(tick, "tick was enqueued before"));
  events.on("tick.skipped", (tick) => log.warn(tick, "tick skipped"));
  events.on("tick.missed", (tick) => log.warn(tick, "tick missed"));
  events.on("tick.failed", (tick, err) => log.error({ ...tick, err }, "tick cannot be enqueued"));
  events.on("tick.retried", (tick, { code, message }) => {
    // The clock and the requirements log this once. Here it would be a line for each tick, twice a second.
    if (code !== "CLOCK_WRONG" && code !== "STORE_UNFIT") log.warn({ ...tick, code }, message);
  });
}
