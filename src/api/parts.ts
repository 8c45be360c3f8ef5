import type { Settings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Operator } from "../operate/operator.ts";
import type { Followers } from "../status/follow-jobs.ts";
import type { StoreAccess } from "../store/connect.ts";
import type { Submitter } from "../submit/submitter.ts";
import type { OverviewWatch } from "../watch/watch-overview.ts";

/** What the routes work with. */
export interface ApiParts extends StoreAccess {
  readonly application: Application;
  readonly settings: Settings;
  /** What the store has against this process now, in one line. */
  readonly refusal: () => string | undefined;
  readonly submitter: Submitter;
  readonly operator: Operator;
  readonly followers: Followers;
  readonly overview: OverviewWatch;
  readonly metrics: Metrics;
  readonly log: Logger;
}
