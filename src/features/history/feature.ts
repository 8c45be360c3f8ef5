import type { Feature } from "../../core/feature.ts";
import { countSubmissions } from "./history-writer.ts";

/** @internal What happened to jobs, by type and minute. */
export const history: Feature = {
  name: "history",
  inSubmitter: (process) => [countSubmissions(process)],
  inWorker: () => import("./in-worker.ts"),
};
