import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { formatFailure } from "../../job/failure.ts";
import type { QueueStore } from "../store/queue-store.ts";
import type { AttemptOutcome } from "./claimed-job.ts";

const STACK_LINES_MAX = 8;

/**
 * Finishes an attempt in BullMQ's terms.
 *
 * @returns the result that BullMQ stores
 * @throws what BullMQ takes for any other outcome
 */
export async function finishAttempt(
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

function bullmqError(
  store: QueueStore,
  jobId: string,
  { failure, trace }: Extract<AttemptOutcome, { kind: "failed" }>,
): Error {
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
