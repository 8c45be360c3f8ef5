import type { Feature } from "../../core/feature.ts";

/** How attempts failed and workers were lost, for people who look into a job later. */
export const failureRecords: Feature = {
  name: "failure-records",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
