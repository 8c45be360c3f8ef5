import type { Feature } from "../../core/feature.ts";

/** What workers report of themselves, and the end of one that is stuck. */
export const workers: Feature = {
  name: "workers",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
