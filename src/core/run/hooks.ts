import { withDeadline } from "../../platform/lib/deadline.ts";
import type { Logger, WithLogger } from "../../platform/lib/logger.ts";
import type { Running } from "../../platform/lib/running.ts";
import { foreign, placeOf } from "../../platform/lib/thrown.ts";
import type { Events } from "../events.ts";
import type { Application } from "../job/define-config.ts";
import type { Failure } from "../job/failure.ts";

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

/** Which queues a worker claims from. */
export interface WorkerQueues {
  /** Only these. @default every queue of the application */
  readonly queues?: readonly string[] | undefined;
  /** All but these. @default none */
  readonly except?: readonly string[] | undefined;
}

export interface WorkerOptions extends WithLogger, WorkerHooks, WorkerQueues {}

const STOP_HOOK_MS = 5_000;

/** The hooks of one worker. */
export interface OpenHooks {
  /** Waits for calls that have not ended, then calls `onStop`, first the worker's and then the application's. */
  stop(): Promise<void>;
  /** The application's handlers: for a worker that has loaded them and cannot start. */
  readonly loaded: Pick<Running, "stop">;
}

export function openHooks(
  { onFailed, onStop }: WorkerHooks,
  application: Application,
  events: Events,
  log: Logger,
): OpenHooks {
  const calls = new Set<Promise<void>>();
  const call = async (hook: keyof WorkerHooks, run: () => void | Promise<void>): Promise<void> => {
    await foreign(async () => run()).catch((error: unknown) =>
      log.error({ hook, ...placeOf(error) }, `${hook} threw; going on`),
    );
  };
  if (onFailed !== undefined)
    events.on("attempt.failed", ({ id: jobId, type, attemptsMade }, failure, error) => {
      const attempt = attemptsMade + 1;
      const willRetry = failure.retryable && attempt < (application.jobs.get(type)?.retry.attempts ?? 0);
      const called = call("onFailed", () => onFailed({ jobId, type, attempt, willRetry, failure, error }));
      calls.add(called);
      void called.then(() => calls.delete(called));
    });
  const stopApplication = () => call("onStop", () => application.onStop?.());
  const late = () => new Error("late");
  const inTime = (ended: Promise<void>) =>
    withDeadline(ended, STOP_HOOK_MS, late).catch(() =>
      log.error({ afterMs: STOP_HOOK_MS }, "a hook has not ended in time; stopping without it"),
    );
  return {
    stop: () =>
      inTime(
        Promise.all(calls)
          .then(() => onStop && call("onStop", onStop))
          .then(stopApplication),
      ),
    loaded: { stop: () => inTime(stopApplication()) },
  };
}
