import { InDoubtError, PermanentError } from "../../evidence/attempt-errors.ts";
import { textIn } from "../../evidence/error-tree.ts";
import { type ErrorCode, isErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { delayMsOf } from "../../platform/lib/delay-ms.ts";
import { traceOf } from "../../platform/lib/thrown.ts";
import type { AttemptOutcome, ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import { isNotReserved } from "../effect/effect-run.ts";
import type { Effects } from "../effect/effects.ts";
import { failureOf, wordOf } from "../job/failure.ts";
import type { Scrub } from "../job/redaction.ts";

/**
 * Closes the effects of an attempt that has thrown, and says why it really ends. An effect's outcome outranks the handler's: a
 * swallowed doubt is a doubt. Before the job fails for good, it looks for a doubt that neither of them has named.
 *
 * @param now Redis's clock
 */
export async function faultOf(
  thrown: unknown,
  effects: Effects,
  job: ClaimedJob,
  now: number,
): Promise<unknown> {
  await effects.close();
  if (isCode(thrown, "CANCELLED")) return thrown;
  const fault = await boundSnoozes(effects.blocked() ?? thrown, job, now);
  if (!endsJob(fault, job)) return fault;
  try {
    await effects.checkLeftOpen(fault);
  } catch (unread) {
    return unread;
  }
  return effects.blocked() ?? fault;
}

/**
 * What an error means that a handler threw. By its code only if Holdfast made it for this very attempt: the same code from a client, from
 * another copy of the package, or from another job's attempt whose promise the handlers share, is an ordinary failure.
 */
export function handlerFault(thrown: Error, { lease }: Pick<ClaimedJob, "lease">): Error {
  if (lease.isOwn(thrown)) return thrown;
  if (thrown instanceof InDoubtError) return withoutDoubt(thrown);
  const word = wordOf(thrown);
  if (word !== undefined) return word;
  const code = textIn(thrown, "code");
  return thrown instanceof HoldfastError || isErrorCode(code) ? new PassedOn(thrown, code) : thrown;
}

/** Only an effect can be in doubt. A handler's own `InDoubtError` leaves nothing to list or resolve. */
function withoutDoubt(thrown: InDoubtError): PermanentError {
  return new PermanentError(`Thrown outside of an effect, so nothing can be in doubt: ${thrown.message}`, {
    cause: thrown,
  });
}

/** An error with one of Holdfast's codes that is not this attempt's own: its message says the code, and nothing else follows from it. */
class PassedOn extends HoldfastError {
  constructor(thrown: Error, code: string) {
    const message = code === "HANDLER_FAILED" ? thrown.message : `${code}: ${thrown.message}`;
    super("HANDLER_FAILED", message, { cause: thrown });
    // Its own frames would say nothing.
    this.stack = `${this.name}: ${message}`;
  }
}

/** What a handler threw, for hooks. */
export function thrownBy(fault: unknown): unknown {
  return fault instanceof PassedOn ? fault.cause : fault;
}

const SNOOZES_MAX = 100;
const SNOOZED_MAX_MS = 30 * 24 * 60 * 60_000;

/** A handler that always asks to be called later must not go on for ever. If a worker dies after the count, one more is counted. */
async function boundSnoozes(fault: unknown, job: ClaimedJob, now: number): Promise<unknown> {
  if (!isCode(fault, "SNOOZED")) return fault;
  try {
    const isLate = now + (fault.retryAfterMs ?? 0) > job.submittedAt + SNOOZED_MAX_MS;
    if (!isLate && (await job.countSnooze()) <= SNOOZES_MAX) return fault;
    const bound = isLate ? "for longer than 30 days" : `${SNOOZES_MAX} times`;
    const message = `The job was snoozed ${bound}: ${fault.message}`;
    return new HoldfastError("SNOOZES_EXHAUSTED", message, { cause: fault });
  } catch (unanswered) {
    return unanswered;
  }
}

/**
 * Whether the job fails for good with this fault, so that it must look for a doubt. A doubt and a cancellation speak for themselves, and
 * without its lock nothing fails a job.
 */
function endsJob(fault: unknown, { attemptsMade, maxAttempts, lease }: ClaimedJob): boolean {
  if (isCode(fault, "EFFECT_IN_DOUBT") || isCode(fault, "CANCELLED") || !lease.isLocked()) return false;
  if (withoutFailure(fault) !== undefined) return false;
  const isLast = attemptsMade + 1 >= maxAttempts && !isCode(lease.reason, "CANCELLED");
  return isLast || !failureOf(fault).retryable;
}

/** What an attempt that ended with this fault means for its job. */
export function failed(fault: unknown, scrub: Scrub): AttemptOutcome {
  return (
    withoutFailure(fault) ?? {
      kind: "failed",
      failure: failureOf(fault, scrub),
      trace: traceOf(fault, scrub),
      retryAfterMs: askedDelay(fault),
    }
  );
}

/** Another worker, or this one later, may run the job; it has begun nothing, or asked for it. */
const deferring = new Set<ErrorCode>([
  "EFFECT_BUSY",
  "STORE_ROLLED_BACK",
  "STORE_UNFIT",
  "NO_HANDLER",
  "SNOOZED",
]);

function withoutFailure(fault: unknown): AttemptOutcome | undefined {
  if (!(fault instanceof HoldfastError)) return undefined;
  if (fault.code === "WORKER_STOPPING") return { kind: "released" };
  if (!deferring.has(fault.code) && !isNotReserved(fault) && !lacksKey(fault)) return undefined;
  return { kind: "deferred", delayMs: delayMsOf(fault.retryAfterMs), code: fault.code };
}

/** What was changed or moved can never be decrypted; what only lacks a key is left to a worker that has it. */
function lacksKey({ code, retryAfterMs }: HoldfastError): boolean {
  return code === "DECRYPTION_FAILED" && retryAfterMs !== undefined;
}

function askedDelay(fault: unknown): number | undefined {
  if (!(fault instanceof HoldfastError) || fault.retryAfterMs === undefined) return undefined;
  return delayMsOf(fault.retryAfterMs);
}

function isCode(thrown: unknown, code: ErrorCode): thrown is HoldfastError {
  return thrown instanceof HoldfastError && thrown.code === code;
}
