import type { Feature } from "../core/feature.ts";
import { blockedLoop } from "./blocked-loop/feature.ts";
import { budget } from "./budget/feature.ts";
import { cancellations } from "./cancellations/feature.ts";
import { debounce } from "./debounce/feature.ts";
import { failureRecords } from "./failure-records/feature.ts";
import { fairness } from "./fairness/feature.ts";
import { flows } from "./flows/feature.ts";
import { formerQueues } from "./former-queues/feature.ts";
import { history } from "./history/feature.ts";
import { hooks } from "./hooks/feature.ts";
import { lanes } from "./lanes/feature.ts";
import { ledgerLife } from "./ledger-life/feature.ts";
import { logs } from "./logs/feature.ts";
import { nextJobs } from "./next-jobs/feature.ts";
import { poisonJobs } from "./poison-jobs/feature.ts";
import { queueControl } from "./queue-control/feature.ts";
import { rate } from "./rate/feature.ts";
import { retention } from "./retention/feature.ts";
import { tags } from "./tags/feature.ts";
import { workers } from "./workers/feature.ts";

/** All features, in the order in which the path of a job calls them. */
export const features: readonly Feature[] = [
  logs,
  workers,
  cancellations,
  poisonJobs,
  blockedLoop,
  failureRecords,
  ledgerLife,
  retention,
  budget,
  fairness,
  lanes,
  rate,
  flows,
  tags,
  debounce,
  formerQueues,
  history,
  nextJobs,
  queueControl,
  hooks,
];
