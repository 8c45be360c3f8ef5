import type { QueueStores, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import type { Operator } from "../../desk/operator.ts";
import type { OverviewWatch } from "../../desk/overview/watch-overview.ts";
import type { Settings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { RedisAccess } from "../../platform/redis/connect.ts";
import type { Metrics } from "../../platform/telemetry/metrics.ts";
import type { OpenRequests } from "./guard/open-requests.ts";
import type { Subscribers } from "./subscribers.ts";

/** What routes use. */
export interface ApiParts extends RedisAccess {
  readonly application: Application;
  readonly settings: Settings;
  /** Why Redis rejects this process now, in one line; undefined if it does not. */
  readonly rejection: () => string | undefined;
  readonly stores: QueueStores<WritableQueueStore>;
  readonly submitter: Submitter;
  readonly operator: Operator;
  readonly subscribers: Subscribers;
  readonly openRequests: OpenRequests;
  readonly overview: OverviewWatch;
  readonly metrics: Metrics;
  readonly log: Logger;
}
