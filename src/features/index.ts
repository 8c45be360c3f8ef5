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
import { tags } from "./tags/feature.ts";

/** All features, in the order in which the path of a job calls them. Those without a `feature.ts` do nothing but in workers. */
export const features: readonly Feature[] = [
  logs,
  { name: "workers", inWorker: async () => (await import("./workers/in-worker.ts")).inWorker },
  { name: "cancellations", inWorker: async () => (await import("./cancellations/in-worker.ts")).inWorker },
  { name: "poison-jobs", inWorker: async () => (await import("./poison-jobs/in-worker.ts")).inWorker },
  { name: "blocked-loop", inWorker: async () => (await import("./blocked-loop/in-worker.ts")).inWorker },
  {
    name: "failure-records",
    inWorker: async () => (await import("./failure-records/in-worker.ts")).inWorker,
  },
  { name: "ledger-life", inWorker: async () => (await import("./ledger-life/in-worker.ts")).inWorker },
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
  { name: "queue-control", inWorker: async () => (await import("./queue-control/in-worker.ts")).inWorker },
  hooks,
];
