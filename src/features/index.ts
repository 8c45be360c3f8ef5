import type { Feature } from "../core/feature.ts";
import { budget } from "./budget/feature.ts";
import { debounce } from "./debounce/feature.ts";
import { fairness } from "./fairness/feature.ts";
import { flows } from "./flows/feature.ts";
import { formerQueues } from "./former-queues/feature.ts";
import { history } from "./history/feature.ts";
import { hooks } from "./hooks/feature.ts";
import { lanes } from "./lanes/feature.ts";
import { logs } from "./logs/feature.ts";
import { nextJobs } from "./next-jobs/feature.ts";
import { rate } from "./rate/feature.ts";
import { retention } from "./retention/feature.ts";
import { schedules } from "./schedules/feature.ts";
import { tags } from "./tags/feature.ts";

/** All features, in the order in which the path of a job calls them. Those without a `feature.ts` run in workers alone. */
export const features: readonly Feature[] = [
  logs,
  { name: "workers", inWorker: () => import("./workers/in-worker.ts") },
  { name: "cancellations", inWorker: () => import("./cancellations/in-worker.ts") },
  { name: "poison-jobs", inWorker: () => import("./poison-jobs/in-worker.ts") },
  { name: "blocked-loop", inWorker: () => import("./blocked-loop/in-worker.ts") },
  { name: "failure-records", inWorker: () => import("./failure-records/in-worker.ts") },
  { name: "ledger-life", inWorker: () => import("./ledger-life/in-worker.ts") },
  retention,
  budget,
  fairness,
  lanes,
  rate,
  flows,
  tags,
  debounce,
  schedules,
  formerQueues,
  history,
  nextJobs,
  { name: "queue-control", inWorker: () => import("./queue-control/in-worker.ts") },
  hooks,
];
