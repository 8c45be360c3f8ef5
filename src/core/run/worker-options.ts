import type { WithLogger } from "../../platform/lib/logger.ts";

/** Which queues a worker claims from. */
export interface WorkerQueues {
  /** Only these. @default every queue of the application */
  readonly queues?: readonly string[] | undefined;
  /** All but these. @default none */
  readonly except?: readonly string[] | undefined;
}

/** Features add members of their own. */
export interface WorkerOptions extends WithLogger, WorkerQueues {}
