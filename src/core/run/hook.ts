import { withDeadline } from "../../platform/lib/deadline.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { foreign, placeOf } from "../../platform/lib/thrown.ts";
import type { WorkerProcess } from "../feature.ts";

const HOOK_MS = 5_000;

/** Calls a function of the application. What it throws is logged, and changes nothing. */
export async function callHook(hook: string, run: () => void | Promise<void>, log: Logger): Promise<void> {
  await foreign(async () => run()).catch((error: unknown) =>
    log.error({ hook, ...placeOf(error) }, `${hook} threw; going on`),
  );
}

/** Waits for hooks, but not for one that does not end. */
export async function untilHooksEnd(ended: Promise<unknown>, log: Logger): Promise<void> {
  await withDeadline(ended, HOOK_MS, () => new Error("late")).catch(() =>
    log.error({ afterMs: HOOK_MS }, "a hook has not ended in time; stopping without it"),
  );
}

/** A stop waits for calls that have not ended, then calls `onStop`. */
export function openHooks({
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
