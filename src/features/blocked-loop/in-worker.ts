import type { FeatureInWorker } from "../../core/feature.ts";
import { atWork } from "./loop-watch.ts";

/** A process whose event loop is blocked names its jobs as it ends. */
export const inWorker: FeatureInWorker = {
  inPartition: ({ handlers }) => [
    {
      around: (job, run) => atWork(job.id, handlers.get(job.type)?.job.timeoutMs ?? 0, () => run(job)),
    },
  ],
};
