import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { Abort } from "../../platform/lib/abort.ts";
import { underDeadline } from "../../platform/lib/deadline.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { check, pathOf, schemaIssues } from "../../platform/lib/schema.ts";
import { asError, messageOf } from "../../platform/lib/thrown.ts";
import { heldJson } from "../../platform/lib/unheld.ts";
import { failAttemptSpan } from "../../platform/telemetry/tracing.ts";
import type { AttemptOutcome, ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { EffectContext } from "../effect/effect-run.ts";
import type { Effects } from "../effect/effects.ts";
import type { Events } from "../events.ts";
import { failpoint } from "../failpoints.ts";
import type { Attempt } from "../job/attempt.ts";
import type { JobContract, JobHandler } from "../job/contract.ts";
import { asItIs, type Scrub, scrubberOf } from "../job/redaction.ts";
import { startsAllowed } from "../job/retry-policy.ts";
import { failed, faultOf, handlerFault, thrownBy } from "./attempt-fault.ts";
import { type AttemptPart, givenAttempt } from "./given-attempt.ts";

/** How long a job waits for a worker that has its handler. */
const NO_HANDLER_FIRST_MS = 500;
const NO_HANDLER_MOST_MS = 10_000;

const ISSUES_NAMED_MAX = 5;
const RESULT_MAX_BYTES = 64 * 1_024;

export interface AttemptTools {
  readonly handlers: ReadonlyMap<string, JobHandler>;
  readonly log: Logger;
  readonly events: Events;
  /** Redis's clock, in milliseconds since 1970. */
  now(): number;
  readonly parts: readonly AttemptPart[];
  /** Told of the run of a handler that goes on although its attempt was ended, for `reason`. */
  readonly stillRuns?: (job: ClaimedJob, run: Promise<unknown>, reason: unknown) => void;
  openEffects(
    job: ClaimedJob,
    contract: JobContract,
    attempt: Pick<EffectContext, "abort" | "log" | "scrub">,
  ): Effects;
}

/**
 * Runs one attempt. Never throws: every fault is an outcome.
 *
 * The steps: find the handler, bound the starts, expire, check the payload, ask the features, run under the deadline, check the result.
 */
export async function runAttempt(tools: AttemptTools, job: ClaimedJob): Promise<AttemptOutcome> {
  const begun = performance.now();
  tools.events.emit("attempt.started", job);
  const outcome = await attemptSteps(tools, job).then(completed, (thrown: unknown) => {
    const end = failed(thrown, scrubOf(tools.handlers.get(job.type)?.job, job));
    if (end.kind === "failed") {
      failAttemptSpan(end.failure);
      tools.events.emit("attempt.failed", job, end.failure, thrownBy(thrown));
    }
    return end;
  });
  tools.events.emit("attempt.ended", job, outcome, performance.now() - begun);
  await failpoint("finish:before", job.id);
  return outcome;
}

async function attemptSteps(tools: AttemptTools, job: ClaimedJob): Promise<unknown> {
  const handler = findHandler(tools.handlers, job);
  const own = ownTools(tools, handler.job, job);
  const { effects } = own;
  try {
    boundStarts(handler.job, job);
    await expire(job, tools.now());
    const payload = checkPayload(handler.job, job);
    for (const { beforeHandler } of tools.parts) {
      const asked = beforeHandler?.(job);
      if (asked !== undefined) await asked;
    }
    const result = await runHandler(handler, job, payload, own, tools.stillRuns);
    await effects.close();
    if (effects.blocked() === undefined) await effects.checkLeftOpen();
    const unawaited = job.lease.unawaited();
    const fault = effects.blocked() ?? (unawaited && (await unawaited));
    if (fault !== undefined) throw fault;
    return checkResult(handler.job, result);
  } catch (error) {
    throw await faultOf(error, effects, job, tools.now());
  }
}

function findHandler(handlers: ReadonlyMap<string, JobHandler>, job: ClaimedJob): JobHandler {
  const handler = handlers.get(job.type);
  if (handler !== undefined) return handler;
  throw new HoldfastError("NO_HANDLER", `This worker has no handler for "${job.type}"`, {
    retryAfterMs: Math.min(NO_HANDLER_FIRST_MS * 2 ** job.delivery, NO_HANDLER_MOST_MS),
  });
}

function boundStarts(contract: JobContract, job: ClaimedJob): void {
  const allowed = startsAllowed(contract.retry);
  // A release or a deferral is not the job's fault and does not count.
  if (job.attemptsMade + job.crashes < allowed) return;
  throw new HoldfastError(
    "STARTS_EXHAUSTED",
    `The job was started ${allowed} times, and its worker did not survive it`,
  );
}

/** @param now Redis's clock */
async function expire(job: ClaimedJob, now: number): Promise<void> {
  const { startBy } = job;
  if (startBy === undefined || now <= startBy || (await job.hasBegun())) return;
  throw new HoldfastError("EXPIRED", `No worker had begun the job by ${isoTime(startBy)}`);
}

function checkPayload(contract: JobContract, job: ClaimedJob): unknown {
  const checked = check(contract.payload, job.envelope.payload);
  if (checked.issues === undefined) return checked.value;
  const issues = schemaIssues(checked.issues).slice(0, ISSUES_NAMED_MAX);
  const fields = issues.map(({ pointer, message }) => `${pointer || "the payload"}: ${message}`);
  throw new HoldfastError(
    "INVALID_PAYLOAD",
    `The stored payload does not fit the contract that this worker knows: ${fields.join("; ")}`,
    { issues },
  );
}

/** What one attempt is given. */
interface OwnTools extends Pick<EffectContext, "log" | "scrub"> {
  readonly effects: Effects;
  /** Ends the effects with their attempt. */
  readonly effectsEnd: Abort;
  readonly parts: readonly AttemptPart[];
}

function ownTools(tools: AttemptTools, contract: JobContract, job: ClaimedJob): OwnTools {
  const log = logOf(tools.log, job);
  const scrub = scrubOf(contract, job);
  const effectsEnd = new Abort();
  const effects = tools.openEffects(job, contract, { abort: effectsEnd, log, scrub });
  return { log, scrub, effects, effectsEnd, parts: tools.parts };
}

function runHandler(
  handler: JobHandler,
  job: ClaimedJob,
  payload: unknown,
  // Member by member: an object that is spread costs a microsecond (row `work`).
  { effects, effectsEnd, log, scrub, parts }: OwnTools,
  stillRuns: AttemptTools["stillRuns"],
): Promise<unknown> {
  const { timeoutMs } = handler.job;
  const late = () =>
    job.lease.own(new HoldfastError("ATTEMPT_TIMED_OUT", `The attempt took longer than its ${timeoutMs} ms`));
  const run = (abort: Abort) => {
    effectsEnd.abortWith(abort);
    const attempt = givenAttempt({ job, payload, abort, effects, log, scrub }, parts);
    return calledHandler(handler, attempt, job);
  };
  const left = stillRuns && ((work: Promise<unknown>, reason: unknown) => stillRuns(job, work, reason));
  return underDeadline(job.lease, timeoutMs, late, run, left);
}

async function calledHandler(handler: JobHandler, attempt: Attempt, job: ClaimedJob): Promise<unknown> {
  try {
    return await handler.run(attempt);
  } catch (thrown) {
    throw handlerFault(asError(thrown), job);
  }
}

/** The attempt's own log, made on first use. */
function logOf(log: Logger, job: ClaimedJob): () => Logger {
  let own: Logger | undefined;
  return () => {
    own ??= log.child({ jobId: job.id, type: job.type, attempt: job.attemptsMade + 1 });
    return own;
  };
}

/** Looks up the job's secrets when a text could quote them. */
function scrubOf(contract: JobContract | undefined, job: ClaimedJob): Scrub {
  const pointers = contract?.redact.payload ?? [];
  if (pointers.length === 0) return asItIs;
  let scrub: Scrub | undefined;
  return (text) => {
    scrub ??= scrubberOf(readPayload(job), pointers);
    return scrub(text);
  };
}

/** No handler has seen a payload that cannot be decrypted, so nothing can quote it. */
function readPayload(job: ClaimedJob): unknown {
  try {
    return job.envelope.payload;
  } catch {
    return undefined;
  }
}

function checkResult(contract: JobContract, result: unknown): unknown {
  const checked = checkedResult(contract, result);
  if (checked.issues !== undefined) {
    const [issue] = checked.issues;
    const place = (issue && pathOf(issue).map(String).join(".")) || "the result";
    throw new HoldfastError("RESULT_INVALID", `${place}: ${issue?.message ?? "does not fit the contract"}`);
  }
  const size = Buffer.byteLength(jsonOf(checked.value));
  if (size > RESULT_MAX_BYTES) {
    throw new HoldfastError(
      "RESULT_INVALID",
      `expected a result of at most ${RESULT_MAX_BYTES} bytes, got ${size}`,
    );
  }
  return checked.value;
}

function checkedResult(contract: JobContract, result: unknown) {
  try {
    return check(contract.result, result);
  } catch (thrown) {
    throw new HoldfastError("RESULT_INVALID", `the result cannot be checked: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function jsonOf(result: unknown): string {
  try {
    return heldJson(result) ?? "";
  } catch (thrown) {
    throw new HoldfastError("RESULT_INVALID", `expected a result that JSON can hold: ${messageOf(thrown)}`);
  }
}

function completed(result: unknown): AttemptOutcome {
  return { kind: "completed", result };
}
