import type { WithLogger } from "../../platform/lib/logger.ts";
import type { Failure } from "../job/failure.ts";

/** Which queues a worker claims from. */
export interface WorkerQueues {
  /** Only these. @default every queue of the application */
  readonly queues?: readonly string[] | undefined;
  /** All but these. @default none */
  readonly except?: readonly string[] | undefined;
}

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

export interface WorkerOptions extends WithLogger, WorkerQueues, WorkerHooks {}
