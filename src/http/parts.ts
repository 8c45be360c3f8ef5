import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { Logger } from "../lib/logger.ts";
import type { Operator } from "../operate/operator.ts";
import type { OverviewWatch } from "../operate/watch-overview.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import type { RedisAccess } from "../redis/connect.ts";
import type { Subscribers } from "../status/subscribers.ts";
import type { Submitter } from "../submit/submitter.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** What routes use. */
export interface ApiParts extends RedisAccess {
  readonly application: Application;
  readonly settings: Settings;
  /** Why Redis rejects this process now, in one line; undefined if it does not. */
  readonly rejection: () => string | undefined;
  readonly stores: QueueStores;
  readonly submitter: Submitter;
  readonly operator: Operator;
  readonly subscribers: Subscribers;
  readonly overview: OverviewWatch;
  readonly metrics: Metrics;
  readonly log: Logger;
}
