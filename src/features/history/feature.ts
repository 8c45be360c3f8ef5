import type { Feature } from "../../core/feature.ts";

/** @internal What happened to jobs, by type and minute. */
export const history: Feature = {
  name: "history",
  // Loaded then: a process that only declares jobs connects to nothing.
  inSubmitter: async (process) => [(await import("./history-writer.ts")).countSubmissions(process)],
  inWorker: () => import("./in-worker.ts"),
};
