import type { Settings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import type { Logger } from "../observe/logger.ts";
import type { StoreClient } from "../store/client.ts";
import type { Submitter } from "../submit/submitter.ts";

/** What the routes work with. */
export interface ApiParts {
  readonly application: Application;
  readonly settings: Settings;
  readonly store: StoreClient;
  readonly submitter: Submitter;
  readonly log: Logger;
}
