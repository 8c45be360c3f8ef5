import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { messageOf, textOf } from "../../platform/lib/thrown.ts";
import type { ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { Effects } from "../effect/effects.ts";
import type { Attempt, AttemptLog, AttemptMembers } from "../job/attempt.ts";
import { asItIs, type Scrub, scrubFields } from "../job/redaction.ts";

const PROGRESS_MAX_BYTES = 4_096;
const LOG_LINE_MAX = 1_000;

interface Parts {
  readonly job: ClaimedJob;
  readonly payload: unknown;
  readonly abort: Abort;
  readonly effects: Effects;
  readonly log: () => Logger;
  readonly scrub: Scrub;
}

/** What a feature adds to attempts. */
export interface AttemptPart {
  /** Called before the handler. @throws HoldfastError where the handler must not run */
  readonly beforeHandler?: (job: ClaimedJob) => Promise<void> | undefined;
  /** What a handler gets of it. */
  readonly given?: (job: ClaimedJob, abort: Abort) => Partial<AttemptMembers>;
}

// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface TestedAttempt {}

/**
 * Makes the faults of something that handlers await their attempt's own.
 *
 * @param what it is, for a handler that does not wait for it
 */
export async function ownFaults<T>(
  { id, lease }: Pick<ClaimedJob, "id" | "lease">,
  what: string,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    lease.rejected(what, id, error);
    throw error instanceof HoldfastError ? lease.own(error) : error;
  }
}

/** What a handler gets. */
export function givenAttempt(own: Parts, parts: readonly AttemptPart[]): Attempt {
  const attempt = new GivenAttempt(own);
  for (const { given } of parts) if (given !== undefined) Object.assign(attempt, given(own.job, own.abort));
  return attempt as typeof attempt & AttemptMembers;
}

/** Its functions do not read `this`, so a handler may take them apart. */
class GivenAttempt implements Omit<Attempt, keyof AttemptMembers> {
  readonly #parts: Parts;
  readonly payload: unknown;
  readonly jobId: string;
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly effect: Effects["effect"];
  readonly progress = (value: number | object): Promise<void> =>
    ownFaults(this.#parts.job, "progress", reportProgress(this.#parts, value));

  constructor(parts: Parts) {
    const { job, payload, effects } = parts;
    this.#parts = parts;
    this.payload = payload;
    this.jobId = job.id;
    this.idempotencyKey = job.envelope.key;
    this.attempt = job.attemptsMade + 1;
    this.effect = effects.effect;
  }

  get signal(): AbortSignal {
    return this.#parts.abort.signal;
  }

  get log(): AttemptLog {
    return attemptLog(this.#parts);
  }
}

/** Progress is for people to see: an attempt does not fail because Redis does not store it. */
async function reportProgress({ job, abort, log }: Parts, value: number | object): Promise<void> {
  abort.throwIfAborted();
  // BullMQ accepts progress from a worker that has lost its lock: it must not overwrite the new worker's.
  job.lease.assert();
  const json = progressJson(value);
  const size = Buffer.byteLength(json);
  if (size > PROGRESS_MAX_BYTES)
    throw badProgress(`expected at most ${PROGRESS_MAX_BYTES} bytes, got ${size}`);
  const reason = await job.progress(JSON.parse(json));
  if (reason !== undefined) log().warn({ reason }, "progress could not be stored");
}

function progressJson(value: unknown): string {
  const isShowable = typeof value === "object" ? value !== null : Number.isFinite(value);
  const expected = "expected a number or an object that JSON can hold, got";
  try {
    const json = isShowable ? JSON.stringify(value) : undefined;
    if (json !== undefined) return json;
  } catch (thrown) {
    throw badProgress(`${expected} one that cannot be written: ${messageOf(thrown)}`);
  }
  throw badProgress(`${expected} ${textOf(value)}`);
}

function badProgress(what: string): HoldfastError {
  return new HoldfastError("HANDLER_FAILED", `progress: ${what}`);
}

function attemptLog({ job, log, scrub }: Parts): AttemptLog {
  // Nothing that a handler logs may fail its job.
  const write = (level: keyof AttemptLog, text: string, fields: unknown) => {
    try {
      log()[level](readableFields(fields, scrub), text);
    } catch {
      log()[level]({ fields: "[cannot be written]" }, text);
    }
  };
  const kept = (level: "info" | "warn" | "error"): AttemptLog["info"] => {
    return (message, fields = {}) => {
      const text = scrub(textOf(message));
      write(level, text, fields);
      const whole = `${new Date().toISOString()} ${level} ${text}${fieldsText(fields, scrub)}`;
      const line = whole.slice(0, LOG_LINE_MAX).toWellFormed();
      // The process's own log has the line.
      job.keepLog(line).catch(() => {});
    };
  };
  return {
    debug: (message, fields = {}) => write("debug", scrub(textOf(message)), fields),
    info: kept("info"),
    warn: kept("warn"),
    error: kept("error"),
  };
}

/** As JSON behind a kept line; nothing where there are none. */
function fieldsText(fields: unknown, scrub: Scrub): string {
  try {
    const json = JSON.stringify(scrubFields(namedFields(fields), scrub));
    return json === "{}" ? "" : ` ${json}`;
  } catch {
    return " [fields that cannot be written]";
  }
}

/** The names that Holdfast's own log lines use. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "level",
  "time",
  "pid",
  "hostname",
  "role",
  "msg",
  "traceId",
  "jobId",
  "type",
  "attempt",
]);

function readableFields(fields: unknown, scrub: Scrub): object {
  const named = withoutOwnNames(namedFields(fields));
  return scrub === asItIs ? named : scrubFields(named, scrub);
}

/** Fields that are no object are one field. */
function namedFields(fields: unknown): object {
  return typeof fields === "object" && fields !== null ? fields : { value: textOf(fields) };
}

/** A log line must not have a name twice: the handler's then begins with `handler.`. */
function withoutOwnNames(fields: object): object {
  if (fields instanceof Error || !Object.keys(fields).some((name) => OWN_NAMES.has(name))) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [OWN_NAMES.has(name) ? `handler.${name}` : name, value]),
  );
}
