import type { FailedAttempt, WorkerQueues } from "../../core/run/worker-options.ts";
import type { Environment } from "../../platform/config/settings.ts";
import type { WithLogger } from "../../platform/lib/logger.ts";

export interface HoldfastModuleOptions extends WithLogger, WorkerQueues {
  /**
   * Whether this process runs a worker. Without one it only submits.
   *
   * @default it does if a provider has a handler
   */
  readonly worker?: boolean;
  /**
   * The path below which the application's server has Holdfast's API, console and reference.
   *
   * @default none: they are not served
   * @example "/jobs-admin"
   */
  readonly mount?: string;
  /** Holdfast's variables. @default process.env */
  readonly env?: Environment;
  /** Called after each failed attempt. What it throws is logged, and changes nothing. */
  readonly onFailed?: (failed: FailedAttempt) => void | Promise<void>;
}
