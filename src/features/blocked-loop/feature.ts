import type { Feature } from "../../core/feature.ts";

/** A process whose event loop is blocked names its jobs as it ends. */
export const blockedLoop: Feature = {
  name: "blocked-loop",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
