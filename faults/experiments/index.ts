import type { Experiment } from "../lib/experiment.ts";
import { killWorker } from "./01-kill-worker.ts";
import { stopWorker } from "./02-stop-worker.ts";
import { lostReply } from "./03-lost-reply.ts";
import { killStore } from "./05-kill-store.ts";
import { allAtOnce } from "./06-all-at-once.ts";
import { deadlyJob } from "./16-deadly-job.ts";

/** All of them, in the order of the design's list. */
export const experiments: readonly Experiment[] = [
  killWorker,
  stopWorker,
  lostReply,
  killStore,
  allAtOnce,
  deadlyJob,
];
