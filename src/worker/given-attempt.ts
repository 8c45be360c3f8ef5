import type { Attempt, AttemptLog } from "../contract/define-job.ts";
import { asItIs, type Scrub, scrubFields } from "../contract/redaction.ts";
import type { Effects } from "../effect/effects.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Logger } from "../observe/logger.ts";
import type { TakenJob } from "../queue/taken-job.ts";
import type { Abort } from "../service/abort.ts";

const PROGRESS_MAX_BYTES = 4_096;
const LOG_LINE_MAX = 1_000;

/** What an attempt is made of. */
interface Parts {
  readonly job: TakenJob;
  readonly payload: unknown;
  readonly abort: Abort;
  readonly effects: Effects;
  readonly log: () => Logger;
  readonly scrub: Scrub;
}

/**
 * What a handler is given. What it takes out of it works by itself, too.
 *
 * A class for the same reason as `ConsumedJob` is one.
 */
export class GivenAttempt implements Attempt {
  readonly #parts: Parts;
  readonly payload: unknown;
  readonly jobId: string;
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly effect: Effects["effect"];
  readonly progress = (value: number | object): Promise<void> => tellProgress(this.#parts, value);

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

async function tellProgress({ job, abort }: Parts, value: number | object): Promise<void> {
  abort.throwIfAborted();
  // BullMQ accepts progress from a worker that has lost its lock; it must not overwrite that of the job's new one.
  job.hold.assert();
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > PROGRESS_MAX_BYTES) {
    throw new HoldfastError(
      "HANDLER_FAILED",
      `progress: expected at most ${PROGRESS_MAX_BYTES} bytes, got ${size}`,
    );
  }
  await job.progress(value);
}

function attemptLog({ job, log, scrub }: Parts): AttemptLog {
  const clean = (fields: Readonly<Record<string, unknown>>) =>
    scrub === asItIs ? fields : scrubFields(fields, scrub);
  const kept = (level: "info" | "warn" | "error"): AttemptLog["info"] => {
    return (message, fields = {}) => {
      const told = scrub(message);
      log()[level](clean(fields), told);
      // A line that cannot be kept must not fail the job; the process's own log has it.
      job.keepLog(`${new Date().toISOString()} ${level} ${told}`.slice(0, LOG_LINE_MAX)).catch(() => {});
    };
  };
  return {
    debug: (message, fields = {}) => log().debug(clean(fields), scrub(message)),
    info: kept("info"),
    warn: kept("warn"),
    error: kept("error"),
  };
}
