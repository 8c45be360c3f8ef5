import type { Feature, WorkerProcess } from "../../core/feature.ts";
import type { Failure } from "../../core/job/failure.ts";
import { callHook, untilHooksEnd } from "../../core/run/hook.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";

/** An attempt that failed. */
export interface FailedAttempt {
  readonly jobId: string;
  readonly type: string;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** Whether another attempt follows. */
  readonly willRetry: boolean;
  /** As the job's status shows it, without the job's secrets. */
  readonly failure: Failure;
  /** What was thrown, as it was: it can quote the payload. */
  readonly error: unknown;
}

/** Functions of the application that a worker calls. What they throw is logged, and changes nothing. */
export interface WorkerHooks {
  /**
   * Called after each failed attempt.
   *
   * @example ({ error, type, jobId }) => Sentry.captureException(error, { tags: { type, jobId } })
   */
  readonly onFailed?: (failed: FailedAttempt) => void | Promise<void>;
  /**
   * Called when the worker has stopped and its last attempt has ended. It has 5 s.
   *
   * @example () => pool.end()
   */
  readonly onStop?: () => void | Promise<void>;
}

declare module "../../core/run/worker-options.ts" {
  interface WorkerOptions extends WorkerHooks {}
}

/** Functions of the application that workers call. */
export const hooks: Feature = { name: "hooks", inWorkerProcess: (worker) => [openHooks(worker)] };

/** A stop waits for calls that have not ended, then calls `onStop`. */
function openHooks({
  options: { onFailed, onStop },
  application: { jobs },
  events,
  log,
}: WorkerProcess): Running {
  const calls = new Set<Promise<void>>();
  if (onFailed !== undefined)
    events.on("attempt.failed", ({ id: jobId, type, attemptsMade }, failure, error) => {
      const attempt = attemptsMade + 1;
      const willRetry = failure.retryable && attempt < (jobs.get(type)?.retry.attempts ?? 0);
      const failed = { jobId, type, attempt, willRetry, failure, error };
      const called = callHook("onFailed", () => onFailed(failed), log);
      calls.add(called);
      void called.then(() => calls.delete(called));
    });
  return {
    stop: stopOnce(async () => {
      const ended = Promise.all(calls).then(() => onStop && callHook("onStop", onStop, log));
      await untilHooksEnd(ended, log);
    }),
  };
}
