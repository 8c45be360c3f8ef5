import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { BullMQOtel } from "bullmq-otel";
import { type Failure, failureOf, formatFailure } from "../contract/failure.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { faultPoint } from "../observe/fault-points.ts";
import { isTraced } from "../observe/tracing.ts";
import { withDeadline } from "../service/deadline.ts";
import { type Running, stopAll, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import type { Clock } from "../store/clock.ts";
import { storeFault } from "../store/fault.ts";
import { bullmqQueueName, queueKey } from "../store/keys.ts";
import { jobPlace } from "../store/places.ts";
import type { Sealer } from "../store/sealer.ts";
import { keepAttempt } from "./attempt-record.ts";
import { cancelJob } from "./cancel-job.ts";
import { followCancellations } from "./cancellations.ts";
import { ClaimingWorker } from "./claiming-worker.ts";
import { ConsumedJob } from "./consumed-job.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createHolds, Hold } from "./hold.ts";
import { createSuspects, type Suspects } from "./suspects.ts";
import type { AttemptOutcome, TakenJob } from "./taken-job.ts";
import { startWatchdog } from "./watchdog.ts";

export interface ConsumerOptions {
  readonly prefix: string;
  readonly queue: string;
  /** Names this worker in the jobs it takes. */
  readonly workerName: string;
  readonly connection: StoreClient;
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly concurrency: number;
  readonly lockMs: number;
  readonly stopGraceMs: number;
  readonly keepCompleted: Retention;
  readonly keepFailed: Retention;
  /** How long it may take no job, with slots free and jobs waiting, in milliseconds. */
  readonly deafAfterMs: number;
  /** Told once, when it has taken none for so long. */
  readonly onDeaf: () => void;
  readonly onError: (error: Error) => void;
  /** Told when the store refuses to write down how an attempt ended. */
  readonly onRefused: (jobId: string, error: unknown) => void;
}

export interface Retention {
  readonly count: number;
  readonly ageMs: number;
}

/** How long attempts that were aborted by a stop get to hand their jobs back. */
const ABORT_GRACE_MS = 2_000;
const STACK_LINES_MAX = 8;

/**
 * Takes jobs from one queue and runs `attempt` on each; BullMQ runs the retries.
 *
 * Stopping takes no more jobs, lets running attempts finish inside the grace time, then aborts the rest, whose jobs
 * go back to the queue.
 */
export function startConsumer(
  options: ConsumerOptions,
  attempt: (job: TakenJob) => Promise<AttemptOutcome>,
): Running {
  const holds = createHolds(options.lockMs);
  const suspects = createSuspects(options);
  const startedAt = Date.now();
  let takenAt: number | null = null;
  const cancellations = followCancellations({ ...options, holds });
  const worker = new ClaimingWorker(
    bullmqQueueName(options.queue),
    async (job, token = "") => {
      takenAt = job.processedOn ?? null;
      const hold = holds.get(job.id ?? "") ?? new Hold(options.lockMs);
      const taken = new ConsumedJob(job, token, hold, options.sealer);
      const outcome = await outcomeOf(taken, suspects, attempt).catch(unexpected);
      if (outcome.kind === "failed") await keepFailure(options, job, outcome.failure);
      return await settle(job, token, outcome, options.sealer);
    },
    workerOptions(options),
    options.clock,
    {
      holds,
      lockMs: options.lockMs,
      onClaimed: cancellations.claimed,
      onDelayed: (jobId) => finishCancellation(options, jobId),
      onRefused: options.onRefused,
    },
  );
  worker.on("lockRenewalFailed", (ids) => holds.lost(ids));
  worker.on("locksRenewed", ({ jobIds }) => {
    holds.renewed(jobIds);
    void cancellations.look(jobIds);
  });
  worker.on("completed", (job) => void faultPoint("finish:after", job.id ?? ""));
  worker.on("failed", (job) => void faultPoint("finish:after", job?.id ?? ""));
  worker.on("error", (error) => {
    if (error.name === "ReplyError") watchdog.excuse();
    options.onError(error);
  });
  const sign = () => ({
    startedAt,
    concurrency: options.concurrency,
    running: holds.jobIds().length,
    takenAt,
    clockOffsetMs: Math.round(options.clock.offsetMs()),
  });
  const heartbeat = startHeartbeat({ ...options, client: options.connection, sign });
  const mayClaim = () => !worker.isPaused();
  const watchdog = startWatchdog({ ...options, client: options.connection, sign, mayClaim });
  return {
    stop: stopOnce(async () => {
      await watchdog.stop();
      await stopWorker(worker, () => holds.abortAll(stopping()), options.stopGraceMs).finally(() => {
        // What is not written down by now is left to whoever finds the job.
        holds.lost(holds.jobIds());
        return stopAll([cancellations, heartbeat]);
      });
    }),
  };
}

function workerOptions(options: ConsumerOptions) {
  const { prefix, connection, concurrency, lockMs, workerName: name, keepCompleted, keepFailed } = options;
  return {
    prefix,
    connection,
    concurrency,
    name,
    // Only where an SDK takes the spans: making them costs a short job a good part of its time.
    ...(isTraced() && { telemetry: new BullMQOtel({ tracerName: "holdfast" }) }),
    lockDuration: lockMs,
    // A dead worker's jobs are found within the lock's time and two of these.
    stalledInterval: Math.ceil(lockMs / 3),
    // After a failed command; the default of 15 s would be most of a recovery.
    runRetryDelay: 500,
    // The attempt itself bounds crashes, for each type, and says so in our terms.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: keepCompleted.count, age: Math.ceil(keepCompleted.ageMs / 1_000) },
    removeOnFail: { count: keepFailed.count, age: Math.ceil(keepFailed.ageMs / 1_000) },
  };
}

/** How an attempt ended. A cancelled job does not wait for another one. */
async function outcomeOf(
  job: TakenJob,
  suspects: Suspects,
  attempt: (job: TakenJob) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  const outcome = (await suspects.setAside(job)) ?? (await attempt(job));
  const { reason } = job.hold;
  const isFinal = outcome.kind === "completed" || (outcome.kind === "failed" && !outcome.failure.retryable);
  if (isFinal || !isCancelled(reason)) return outcome;
  return { kind: "failed", failure: failureOf(reason), stack: "" };
}

/** An attempt never throws; what is left is the store. */
function unexpected(error: unknown): AttemptOutcome {
  return { kind: "failed", failure: failureOf(storeFault(error)), stack: "" };
}

function isCancelled(reason: unknown): boolean {
  return reason instanceof HoldfastError && reason.code === "CANCELLED";
}

/** A job can be cancelled while its attempt is ending, and would then be found as cancelled only when it is due. */
async function finishCancellation(options: ConsumerOptions, jobId: string): Promise<void> {
  const { connection, prefix, queue } = options;
  try {
    const isMarked = await connection.hexists(queueKey(prefix, queue, jobId), "defa");
    if (isMarked === 1) await cancelJob(connection, { prefix, queue, jobId });
  } catch (error) {
    if (error instanceof Error) options.onError(error);
  }
}

async function settle(job: Job, token: string, outcome: AttemptOutcome, sealer: Sealer): Promise<unknown> {
  const id = job.id ?? "";
  switch (outcome.kind) {
    case "completed":
      return sealer.sealValue(outcome.result, jobPlace(id, "result"));
    case "failed":
      // BullMQ computes the next delay from these options; this copy of them lives for this attempt only.
      if (outcome.retryAfterMs !== undefined)
        job.opts.backoff = { type: "fixed", delay: outcome.retryAfterMs };
      throw bullmqError(outcome, id, sealer);
    case "returned":
      await job.moveToWait(token);
      throw new WaitingError();
    case "postponed":
      await job.moveToDelayed(Date.now() + outcome.delayMs, token);
      throw new DelayedError();
  }
}

/** It is for whoever looks into the job later; a store that does not take it must not change how the attempt ended. */
async function keepFailure(options: ConsumerOptions, job: Job, { code, message }: Failure): Promise<void> {
  const jobId = job.id ?? "";
  const record = {
    attempt: job.attemptsMade + 1,
    worker: options.workerName,
    startedAt: job.processedOn ?? job.timestamp,
    endedAt: Date.now(),
    code,
    message: options.sealer.seal(message, jobPlace(jobId, "attempt")),
  };
  const place = { ...options, jobId };
  await keepAttempt(options.connection, place, record).catch(options.onError);
}

function bullmqError(
  { failure, stack }: Extract<AttemptOutcome, { kind: "failed" }>,
  jobId: string,
  sealer: Sealer,
): Error {
  const told = sealer.seal(failure.message, jobPlace(jobId, "failure"));
  const message = formatFailure({ ...failure, message: told });
  const error = failure.retryable
    ? new HoldfastError(failure.code, message)
    : new UnrecoverableError(message);
  const trace = stack.split("\n").slice(0, STACK_LINES_MAX).join("\n");
  error.stack = sealer.seal(trace, jobPlace(jobId, "trace"));
  return error;
}

async function stopWorker(worker: ClaimingWorker, abortAll: () => void, graceMs: number): Promise<void> {
  const abort = setTimeout(abortAll, graceMs);
  const late = () =>
    new HoldfastError(
      "WORKER_STOPPING",
      "Some attempts ignored their signal; their jobs are found as stalled",
    );
  try {
    await withDeadline(worker.close(), graceMs + ABORT_GRACE_MS, late);
  } finally {
    clearTimeout(abort);
  }
}

function stopping(): HoldfastError {
  return new HoldfastError("WORKER_STOPPING", "The worker is stopping; the job goes back to the queue");
}
