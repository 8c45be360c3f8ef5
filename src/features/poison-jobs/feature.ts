import type { Feature } from "../../core/feature.ts";

/** Jobs that were active at more than one crash of a worker. */
export const poisonJobs: Feature = {
  name: "poison-jobs",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
