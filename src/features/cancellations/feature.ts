import type { Feature } from "../../core/feature.ts";

/** Attempts end when their job is cancelled. */
export const cancellations: Feature = {
  name: "cancellations",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
