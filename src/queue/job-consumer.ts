import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { BullMQOtel } from "bullmq-otel";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Failure, failureOf, formatFailure } from "../job/failure.ts";
import { withDeadline } from "../lib/deadline.ts";
import { type Running, stopAll, stopOnce } from "../lib/running.ts";
import type { Clock } from "../redis/clock.ts";
import { redisFault } from "../redis/redis-errors.ts";
import { failpoint } from "../telemetry/failpoints.ts";
import { isTraced } from "../telemetry/tracing.ts";
import { keepAttempt } from "./attempt-record.ts";
import { BullmqJob } from "./bullmq-job.ts";
import { cancelJob } from "./cancel-job.ts";
import { watchCancellations } from "./cancellations.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";
import { ClaimingWorker } from "./claiming-worker.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createLeases, Lease } from "./lease.ts";
import { createPoisonJobs, type PoisonJobs } from "./poison-jobs.ts";
import { bullmqQueueName } from "./queue-keys.ts";
import type { QueueStore } from "./queue-store.ts";
import { startWatchdog } from "./stuck-worker.ts";

export interface ConsumerOptions {
  readonly store: QueueStore;
  /** Names this worker in the jobs it takes. */
  readonly workerName: string;
  readonly clock: Clock;
  readonly concurrency: number;
  readonly lockMs: number;
  readonly stopGraceMs: number;
  readonly keepCompleted: Retention;
  readonly keepFailed: Retention;
  /** How long it may take no job, with slots free and jobs waiting, in milliseconds. */
  readonly stuckAfterMs: number;
  /** Told once, when it has taken none for so long. */
  readonly onStuck: () => void;
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
  attempt: (job: ClaimedJob) => Promise<AttemptOutcome>,
): Running {
  const { store } = options;
  const leases = createLeases(options.lockMs);
  const poisonJobs = createPoisonJobs(store, options.lockMs);
  const startedAt = Date.now();
  let claimedAt: number | null = null;
  const cancellations = watchCancellations(store, leases, options.lockMs);
  const worker = new ClaimingWorker(
    bullmqQueueName(store.queue),
    async (job, token = "") => {
      claimedAt = job.processedOn ?? null;
      const lease = leases.get(job.id ?? "") ?? new Lease(options.lockMs);
      const taken = new BullmqJob(job, token, lease, store);
      const outcome = await outcomeOf(taken, poisonJobs, attempt).catch(unexpected);
      if (outcome.kind === "failed") await keepFailure(options, job, outcome.failure);
      return await settle(job, token, outcome, store);
    },
    workerOptions(options),
    options.clock,
    {
      leases,
      lockMs: options.lockMs,
      onClaimed: cancellations.claimed,
      onDelayed: (jobId) => finishCancellation(options, jobId),
      onRefused: options.onRefused,
    },
  );
  worker.on("lockRenewalFailed", (ids) => leases.lost(ids));
  worker.on("locksRenewed", ({ jobIds }) => {
    leases.renewed(jobIds);
    void cancellations.look(jobIds);
  });
  worker.on("completed", (job) => void failpoint("finish:after", job.id ?? ""));
  worker.on("failed", (job) => void failpoint("finish:after", job?.id ?? ""));
  worker.on("error", (error) => {
    if (error.name === "ReplyError") watchdog.reset();
    options.onError(error);
  });
  const sign = () => ({
    startedAt,
    concurrency: options.concurrency,
    running: leases.jobIds().length,
    claimedAt,
    clockOffsetMs: Math.round(options.clock.offsetMs()),
    stuckAfterMs: options.stuckAfterMs,
  });
  const heartbeat = startHeartbeat(store, options.workerName, sign);
  const mayClaim = () => !worker.isPaused();
  const watchdog = startWatchdog({ ...options, sign, mayClaim });
  return {
    stop: stopOnce(async () => {
      await watchdog.stop();
      await stopWorker(worker, () => leases.abortAll(stopping()), options.stopGraceMs).finally(() => {
        // What is not written down by now is left to whoever finds the job.
        leases.lost(leases.jobIds());
        return stopAll([cancellations, heartbeat]);
      });
    }),
  };
}

function workerOptions(options: ConsumerOptions) {
  const { store, concurrency, lockMs, workerName: name, keepCompleted, keepFailed } = options;
  return {
    prefix: store.prefix,
    connection: store.client,
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
  job: ClaimedJob,
  poisonJobs: PoisonJobs,
  attempt: (job: ClaimedJob) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  const outcome = (await poisonJobs.setAside(job)) ?? (await attempt(job));
  const { reason } = job.lease;
  const isFinal = outcome.kind === "completed" || (outcome.kind === "failed" && !outcome.failure.retryable);
  if (isFinal || !isCancelled(reason)) return outcome;
  return { kind: "failed", failure: failureOf(reason), stack: "" };
}

/** An attempt never throws; what is left is the store. */
function unexpected(error: unknown): AttemptOutcome {
  return { kind: "failed", failure: failureOf(redisFault(error)), stack: "" };
}

function isCancelled(reason: unknown): boolean {
  return reason instanceof HoldfastError && reason.code === "CANCELLED";
}

/** A job can be cancelled while its attempt is ending, and would then be found as cancelled only when it is due. */
async function finishCancellation(options: ConsumerOptions, jobId: string): Promise<void> {
  const { store } = options;
  try {
    const isMarked = await store.client.hexists(store.keys.job(jobId), "defa");
    if (isMarked === 1) await cancelJob(store, jobId);
  } catch (error) {
    if (error instanceof Error) options.onError(error);
  }
}

async function settle(job: Job, token: string, outcome: AttemptOutcome, store: QueueStore): Promise<unknown> {
  const id = job.id ?? "";
  switch (outcome.kind) {
    case "completed":
      return store.encryptValue(id, "result", outcome.result);
    case "failed":
      // BullMQ computes the next delay from these options; this copy of them lives for this attempt only.
      if (outcome.retryAfterMs !== undefined)
        job.opts.backoff = { type: "fixed", delay: outcome.retryAfterMs };
      throw bullmqError(outcome, id, store);
    case "released":
      await job.moveToWait(token);
      throw new WaitingError();
    case "deferred":
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
    message,
  };
  await keepAttempt(options.store, jobId, record).catch(options.onError);
}

function bullmqError(
  { failure, stack }: Extract<AttemptOutcome, { kind: "failed" }>,
  jobId: string,
  store: QueueStore,
): Error {
  const told = store.encryptText(jobId, "failure", failure.message);
  const message = formatFailure({ ...failure, message: told });
  const error = failure.retryable
    ? new HoldfastError(failure.code, message)
    : new UnrecoverableError(message);
  const trace = stack.split("\n").slice(0, STACK_LINES_MAX).join("\n");
  error.stack = store.encryptText(jobId, "trace", trace);
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
