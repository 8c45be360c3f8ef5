import type { Logger } from "../../platform/lib/logger.ts";
import type { IsDue } from "../bullmq/due-sweeps.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { JobHandler } from "../job/define-job.ts";

/** A partition of a queue that a worker consumes. */
export interface ConsumedPartition {
  readonly store: QueueStore;
  /** The handlers of all types that this worker knows. */
  readonly handlers: ReadonlyMap<string, JobHandler>;
  /** How long an ended job is kept, in milliseconds. */
  readonly retentionMs: number;
  readonly isDue: IsDue;
  readonly log: Logger;
}
