import type { Experiment } from "../lib/experiment.ts";
import { killWorker } from "./01-kill-worker.ts";
import { stopWorker } from "./02-stop-worker.ts";
import { allAtOnce } from "./06-all-at-once.ts";

/** All of them, in the order of the design's list. */
export const experiments: readonly Experiment[] = [killWorker, stopWorker, allAtOnce];
