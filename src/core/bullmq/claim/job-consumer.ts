import type { Job } from "bullmq";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../../platform/lib/deadline.ts";
import { delayMsOf } from "../../../platform/lib/delay-ms.ts";
import { type Running, stopAll, stopOnce } from "../../../platform/lib/running.ts";
import type { KeysInUse } from "../../../platform/redis/encryption/keys-in-use.ts";
import type { Clock } from "../../../platform/redis/fitness/clock.ts";
import { isUnanswered, redisFault } from "../../../platform/redis/redis-errors.ts";
import { isTraced } from "../../../platform/telemetry/tracing.ts";
import { failpoint } from "../../failpoints.ts";
import { failureOf } from "../../job/failure.ts";
import { cancelJob } from "../cancel-job.ts";
import { startHeartbeat, type WorkerHeartbeat } from "../heartbeat.ts";
import { bullmqQueueName } from "../store/queue-keys.ts";
import type { QueueStore } from "../store/queue-store.ts";
import { attemptTelemetry } from "./attempt-telemetry.ts";
import { BullmqJob } from "./bullmq-job.ts";
import { watchCancellations } from "./cancellations.ts";
import type { ClaimEvents } from "./claim-backoff.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";
import { ClaimingWorker } from "./claiming-worker.ts";
import { type EndedAttempt, type EndedJob, endedAttempt } from "./ended-attempt.ts";
import { keepAttempt, keepCrash } from "./failure-records.ts";
import { finishAttempt } from "./finish-attempt.ts";
import { createLeases, Lease, type Leases } from "./lease.ts";
import { createPoisonJobs } from "./poison-jobs.ts";
import type { Slots } from "./slots.ts";
import { startWatchdog } from "./stuck-worker.ts";

export interface ConsumerOptions {
  readonly store: QueueStore;
  /** BullMQ stores it with the jobs that this worker claims. */
  readonly workerName: string;
  readonly clock: Clock;
  readonly keysInUse: KeysInUse;
  readonly limits: ConsumerLimits;
  /** How many ended jobs stay, the latest. Their age is up to others. */
  readonly keep: { readonly completed: number; readonly failed: number };
  /** Whether something that an attempt began is not over, although the attempt is. */
  readonly goesOn: () => boolean;
  readonly events: ConsumerEvents;
}

export interface ConsumerLimits {
  /** How many attempts may run at a time, in all partitions of the queue. */
  readonly slots: Slots;
  /** How long a lock lasts that is not renewed, in milliseconds. */
  readonly lockMs: number;
  /** How long running attempts may go on after a stop, in milliseconds. */
  readonly stopGraceMs: number;
  /** How long the worker may claim nothing, with slots free and jobs waiting, in milliseconds. */
  readonly stuckAfterMs: number;
}

export interface ConsumerEvents extends ClaimEvents {
  /** Called once, when the worker is stuck. */
  onStuck(): void;
  onError(error: Error): void;
  /** An attempt has ended; whether Redis accepts that is not known yet. */
  onAttemptEnd(attempt: EndedAttempt): void;
  /** A job has ended, and Redis has stored that. A failed job that is to be retried has not ended. */
  onJobEnd(job: EndedJob): void;
  /** Redis refused to store how an attempt ended; it is sent again. */
  onRefused(jobId: string, error: unknown): void;
}

type Attempt = (job: ClaimedJob) => Promise<AttemptOutcome>;

/** How long attempts that a stop has aborted may take to release their jobs, and Redis to answer where no attempt runs. */
const ABORT_GRACE_MS = 2_000;

/**
 * Claims jobs from one queue and runs `attempt` on each; BullMQ runs the retries.
 *
 * A stop claims no more jobs, lets running attempts finish within the grace, then aborts the rest and releases their jobs.
 */
export function startConsumer(options: ConsumerOptions, attempt: Attempt): Running {
  const { store, workerName, limits } = options;
  const leases = createLeases(limits.lockMs);
  const cancellations = watchCancellations(store, leases, limits.lockMs);
  let claimedAt: number | null = null;
  const run = attemptRunner(options, leases, attempt);
  const worker = new ClaimingWorker(
    bullmqQueueName(store.queue),
    (job, token = "") => {
      claimedAt = job.processedOn ?? null;
      return run(job, token);
    },
    workerOptions(options),
    options.clock,
    {
      leases,
      slots: limits.slots,
      lockMs: limits.lockMs,
      onClaimed: cancellations.claimed,
      onDelayed: (jobId) => finishCancellation(options, jobId),
      onRefused: options.events.onRefused,
      claims: options.events,
    },
  );
  const heartbeat = heartbeatOf(options, () => claimedAt);
  const heartbeats = startHeartbeat(store, workerName, heartbeat, options.goesOn);
  const mayClaim = () => !worker.isPaused();
  const watchdog = startWatchdog({ store, heartbeat, mayClaim, onStuck: options.events.onStuck });
  worker.on("lockRenewalFailed", (ids) => leases.lost(ids));
  worker.on("locksRenewed", ({ jobIds }) => {
    leases.renewed(jobIds);
    void cancellations.look(jobIds);
  });
  worker.on("completed", (job) => void failpoint("finish:after", job.id ?? ""));
  worker.on("failed", (job) => void failpoint("finish:after", job?.id ?? ""));
  worker.on("stalled", (jobId) => void keepCrash(store, jobId, Date.now()).catch(options.events.onError));
  reportEnds(worker, options.events);
  worker.on("error", (error) => {
    if (error.name === "ReplyError") watchdog.reset();
    options.events.onError(error);
  });
  return {
    stop: stopOnce(async () => {
      await watchdog.stop();
      await stopWorker(worker, () => leases.abortAll(stopping()), limits.stopGraceMs).finally(() => {
        // What is not stored by now is left to the worker that finds the job.
        leases.lost(leases.jobIds());
        return stopAll([cancellations, heartbeats]);
      });
    }),
  };
}

function heartbeatOf(
  { clock, limits }: ConsumerOptions,
  claimedAt: () => number | null,
): () => WorkerHeartbeat {
  const startedAt = Date.now();
  return () => ({
    startedAt,
    concurrency: limits.slots.size,
    running: limits.slots.used,
    claimedAt: claimedAt(),
    clockOffsetMs: Math.round(clock.offsetMs()),
    stuckAfterMs: limits.stuckAfterMs,
  });
}

function reportEnds(worker: ClaimingWorker, { onJobEnd }: ConsumerEvents): void {
  const onEnd = (job: Job | undefined) => {
    if (job?.finishedOn !== undefined) onJobEnd({ id: job.id ?? "", options: job.opts });
  };
  worker.on("completed", onEnd);
  worker.on("failed", onEnd);
}

function workerOptions({ store, workerName, keysInUse, limits, keep }: ConsumerOptions) {
  return {
    prefix: store.prefix,
    connection: store.client,
    keysInUse,
    concurrency: limits.slots.size,
    name: workerName,
    // Only where an SDK collects the spans: making them costs a short job much of its time.
    ...(isTraced() && { telemetry: attemptTelemetry() }),
    lockDuration: limits.lockMs,
    // A dead worker's jobs are found within the lock's time and two of these.
    stalledInterval: Math.ceil(limits.lockMs / 3),
    // After a failed command. The default of 15 s would be most of a recovery.
    runRetryDelay: 500,
    // The attempt itself bounds crashes, by job type.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: keep.completed },
    removeOnFail: { count: keep.failed },
  };
}

/** Runs one claimed job from its delivery to BullMQ's idea of its end. */
function attemptRunner(options: ConsumerOptions, leases: Leases, attempt: Attempt) {
  const { store, limits, events } = options;
  const poisonJobs = createPoisonJobs(store, limits.lockMs);

  async function outcomeOf(job: ClaimedJob): Promise<AttemptOutcome> {
    try {
      const outcome = await (poisonJobs.mayBePoison(job) ? poisonJobs.run(job, attempt) : attempt(job));
      return job.lease.reason === undefined ? outcome : orCancelled(outcome, job.lease.reason);
    } catch (error) {
      return unexpected(error);
    }
  }

  return async (job: Job, token: string): Promise<unknown> => {
    const lease = leases.get(job.id ?? "") ?? new Lease(limits.lockMs);
    const claimed = new BullmqJob(job, token, lease, store);
    const begun = performance.now();
    const outcome = await outcomeOf(claimed);
    events.onAttemptEnd(endedAttempt(claimed, job, outcome, performance.now() - begun));
    if (outcome.kind === "failed") await keepFailure(options, job, outcome);
    return await finishAttempt(store, job, token, outcome);
  };
}

/** A cancelled job has no further attempt. */
function orCancelled(outcome: AttemptOutcome, reason: unknown): AttemptOutcome {
  const isFinal = outcome.kind === "completed" || (outcome.kind === "failed" && !outcome.failure.retryable);
  const isCancelled = reason instanceof HoldfastError && reason.code === "CANCELLED";
  return isFinal || !isCancelled ? outcome : { kind: "failed", failure: failureOf(reason), trace: "" };
}

/** An attempt never throws: this is Redis's fault. Where it did not answer, nothing has begun. */
function unexpected(error: unknown): AttemptOutcome {
  const { code, retryAfterMs } = redisFault(error);
  if (isUnanswered(error)) return { kind: "deferred", delayMs: delayMsOf(retryAfterMs), code };
  return { kind: "failed", failure: failureOf(redisFault(error)), trace: "" };
}

/** A job cancelled while its attempt was ending would be found as cancelled only when it is due. */
async function finishCancellation({ store, events }: ConsumerOptions, jobId: string): Promise<void> {
  try {
    const isMarked = await store.client.hexists(store.keys.job(jobId), "defa");
    if (isMarked === 1) await cancelJob(store, jobId);
  } catch (error) {
    if (error instanceof Error) events.onError(error);
  }
}

/** For people who look into the job later: an error here must not change how the attempt ended. */
async function keepFailure(
  { store, workerName, events }: ConsumerOptions,
  job: Job,
  { failure, trace }: Extract<AttemptOutcome, { kind: "failed" }>,
): Promise<void> {
  const record = {
    attempt: job.attemptsMade + 1,
    worker: workerName,
    startedAt: job.processedOn ?? job.timestamp,
    endedAt: Date.now(),
    code: failure.code,
    message: failure.message,
    trace,
  };
  await keepAttempt(store, job.id ?? "", record).catch(events.onError);
}

async function stopWorker(worker: ClaimingWorker, abortAll: () => void, graceMs: number): Promise<void> {
  const abort = setTimeout(abortAll, graceMs);
  const late = () =>
    new HoldfastError(
      "WORKER_STOPPING",
      "Some attempts ignored their signal; their jobs are found as stalled",
    );
  // The grace is for attempts. Without any, BullMQ waits for Redis alone, which may be away.
  const ended = Promise.race([worker.close(), worker.untilIdle(ABORT_GRACE_MS)]);
  try {
    await withDeadline(ended, graceMs + ABORT_GRACE_MS, late);
  } finally {
    clearTimeout(abort);
  }
}

function stopping(): HoldfastError {
  return new HoldfastError("WORKER_STOPPING", "The worker is stopping; the job returns to its queue");
}
