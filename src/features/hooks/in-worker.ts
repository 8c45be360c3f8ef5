import type { FeatureInWorker, WorkerProcess } from "../../core/feature.ts";
import { callHook, untilHooksEnd } from "../../core/run/hook.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";

export const inWorker: FeatureInWorker = { inProcess: (worker) => [openHooks(worker)] };

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
