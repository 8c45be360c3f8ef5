import type { Feature } from "../../core/feature.ts";

/** What an operator and the application set for a queue: its limits, and why it is paused. */
export const queueControl: Feature = {
  name: "queue-control",
  inWorker: async () => (await import("./in-worker.ts")).inWorker,
};
