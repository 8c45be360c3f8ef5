import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../../platform/lib/deadline.ts";
import { delayMsOf } from "../../../platform/lib/delay-ms.ts";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";
import { isUnanswered, redisFault } from "../../../platform/redis/redis-errors.ts";
import { failpoint } from "../../failpoints.ts";
import { failureOf, formatFailure } from "../../job/failure.ts";
import type { QueueStore } from "../store/queue-store.ts";
import { type AttemptOutcome, BullmqJob, type ClaimedJob } from "./claimed-job.ts";
import { ClaimingWorker } from "./claiming-worker.ts";
import {
  type Consumed,
  type ConsumerPart,
  each,
  type FailedOutcome,
  type RunAttempt,
} from "./consumer-part.ts";
import { Lease } from "./lease.ts";

/** How long attempts that a stop has aborted may take to release their jobs, and Redis to answer where no attempt runs. */
const ABORT_GRACE_MS = 2_000;
const STACK_LINES_MAX = 8;

/**
 * Claims jobs from one queue and runs `attempt` on each; BullMQ runs the retries.
 *
 * A stop claims no more jobs, lets running attempts finish within the grace, then aborts the rest and releases their jobs.
 */
export function startConsumer(
  consumed: Consumed,
  parts: readonly ConsumerPart[],
  attempt: RunAttempt,
): Running {
  const { settings, leases, log } = consumed;
  const { queue } = consumed.store;
  const onError = (error: Error) => {
    for (const call of each(parts, "onError")) call(error);
    log.debug({ queue, reason: error.message }, "queue error");
  };
  const worker = new ClaimingWorker(consumed, parts, attemptRunner(consumed, parts, attempt));
  worker.on("lockRenewalFailed", (ids) => leases.lost(ids));
  worker.on("locksRenewed", ({ jobIds }) => {
    leases.renewed(jobIds);
    for (const call of each(parts, "onRenewal")) call(jobIds);
  });
  worker.on("stalled", (jobId) => {
    for (const call of each(parts, "onStalled")) call(jobId);
  });
  reportEnds(worker, parts);
  worker.on("error", onError);
  return {
    stop: stopOnce(() =>
      stopWorker(worker, () => leases.abortAll(stopping()), settings.HOLDFAST_STOP_GRACE_MS).finally(() => {
        // What is not stored by now is left to the worker that finds the job.
        leases.lost(leases.jobIds());
      }),
    ),
  };
}

function reportEnds(worker: ClaimingWorker, parts: readonly ConsumerPart[]): void {
  const calls = each(parts, "onJobEnd");
  const onEnd = (job: Job | undefined) => {
    void failpoint("finish:after", job?.id ?? "");
    if (job?.finishedOn === undefined) return;
    for (const call of calls) call({ id: job.id ?? "", options: job.opts });
  };
  worker.on("completed", onEnd);
  worker.on("failed", onEnd);
}

/** Runs one claimed job from its delivery to BullMQ's idea of its end. */
function attemptRunner(
  { store, leases, settings }: Consumed,
  parts: readonly ConsumerPart[],
  attempt: RunAttempt,
) {
  const run = each(parts, "around").reduceRight<RunAttempt>(
    (inner, around) => (job) => around(job, inner),
    attempt,
  );
  const onAttemptEnd = each(parts, "onAttemptEnd");

  async function outcomeOf(job: ClaimedJob): Promise<AttemptOutcome> {
    try {
      const outcome = await run(job);
      return job.lease.reason === undefined ? outcome : orCancelled(outcome, job.lease.reason);
    } catch (error) {
      return unexpected(error);
    }
  }

  return async (job: Job, token = ""): Promise<unknown> => {
    const lease = leases.get(job.id ?? "") ?? new Lease(settings.HOLDFAST_LOCK_MS);
    const claimed = new BullmqJob(job, token, lease, store);
    const begun = performance.now();
    const outcome = await outcomeOf(claimed);
    const runMs = performance.now() - begun;
    for (const call of onAttemptEnd) call(claimed, outcome, runMs);
    if (outcome.kind === "failed") for (const call of each(parts, "onFailure")) await call(claimed, outcome);
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

/**
 * Finishes an attempt in BullMQ's terms.
 *
 * @returns the result that BullMQ stores
 * @throws what BullMQ takes for any other outcome
 */
async function finishAttempt(
  store: QueueStore,
  job: Job,
  token: string,
  outcome: AttemptOutcome,
): Promise<unknown> {
  const id = job.id ?? "";
  switch (outcome.kind) {
    case "completed":
      return store.encryptValue(id, "result", outcome.result);
    case "failed":
      // BullMQ computes the next delay from these options; this copy lives for this attempt only.
      if (outcome.retryAfterMs !== undefined)
        job.opts.backoff = { type: "fixed", delay: outcome.retryAfterMs };
      throw bullmqError(store, id, outcome);
    case "released":
      await job.moveToWait(token);
      throw new WaitingError();
    case "deferred":
      await job.moveToDelayed(Date.now() + outcome.delayMs, token);
      throw new DelayedError();
  }
}

function bullmqError(store: QueueStore, jobId: string, { failure, trace }: FailedOutcome): Error {
  const message = formatFailure({
    ...failure,
    message: store.encryptText(jobId, "failure", failure.message),
  });
  const error = failure.retryable
    ? new HoldfastError(failure.code, message)
    : new UnrecoverableError(message);
  const stack = trace.split("\n").slice(0, STACK_LINES_MAX).join("\n");
  error.stack = store.encryptText(jobId, "trace", stack);
  return error;
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
