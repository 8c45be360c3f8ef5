import type { ErrorCode } from "../errors/error-codes.ts";
import type { Logger } from "../lib/logger.ts";
import type { AttemptEnd, AttemptedJob, Events } from "./events.ts";

const ends: Readonly<Record<Exclude<AttemptEnd["kind"], "failed" | "deferred">, string>> = {
  completed: "attempt completed",
  released: "job released",
};

/** Logs accepted submissions at debug, since they would flood the log. */
export function logSubmissions(events: Events, log: Logger): void {
  events.on("job.submitted", ({ id: jobId, type, duplicate }) =>
    log.debug({ jobId, type, duplicate }, "job accepted"),
  );
}

/**
 * Logs how attempts end: those that are retried at warn, those after which a job has failed at error, completed ones at debug, since they
 * would flood the log.
 */
export function logAttempts(events: Events, log: Logger): void {
  events.on("attempt.ended", (job, end, durationMs) => {
    const { id: jobId, type, attemptsMade } = job;
    const fields = { jobId, type, attempt: attemptsMade + 1, durationMs: Math.round(durationMs) };
    if (end.kind === "failed") logFailure(log, fields, job, end);
    else if (end.kind === "deferred") log.info({ ...fields, code: end.code }, "job deferred");
    else log[end.kind === "completed" ? "debug" : "info"](fields, ends[end.kind]);
  });
}

function logFailure(
  log: Logger,
  fields: object,
  { attemptsMade, maxAttempts }: AttemptedJob,
  { failure, trace }: Extract<AttemptEnd, { kind: "failed" }>,
): void {
  const willRetry = failure.retryable && attemptsMade + 1 < maxAttempts;
  // A person has cancelled it, and knows.
  const level = willRetry || failure.code === "CANCELLED" ? "warn" : "error";
  const message = willRetry ? "attempt failed" : "job failed";
  log[level]({ ...fields, willRetry, ...failure, err: { stack: trace } }, message);
}

/** What the clock, the requirements and the encryption keys log themselves. */
const loggedOnce: ReadonlySet<ErrorCode> = new Set(["CLOCK_WRONG", "STORE_UNFIT", "ENCRYPTION_KEYS_DIFFER"]);

export function logTicks(events: Events, log: Logger): void {
  events.on("tick.enqueued", (tick) => log.info(tick, "tick enqueued"));
  events.on("tick.duplicate", (tick) => log.debug(tick, "tick was enqueued before"));
  events.on("tick.skipped", (tick) => log.warn(tick, "tick skipped"));
  events.on("tick.missed", (tick) => log.warn(tick, "tick missed"));
  events.on("tick.failed", (tick, err) => log.error({ ...tick, err }, "tick cannot be enqueued"));
  events.on("tick.retried", (tick, { code, message }) => {
    // Logged once by what finds it. Here it would be a line for each tick, twice a second.
    if (!loggedOnce.has(code)) log.warn({ ...tick, code }, message);
  });
}
