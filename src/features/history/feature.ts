import type { Feature } from "../../core/feature.ts";
import { countAttempts, countSubmissions } from "./history-writer.ts";
import { addMark } from "./marks.ts";

/** What happened to jobs, by type and minute. */
export const history: Feature = {
  name: "history",
  inSubmitter: (process) => [countSubmissions(process)],
  inWorker: (partition) => [countAttempts(partition)],
  onWorkerStart({ name, queues }) {
    for (const store of queues) void addMark(store, { kind: "started", text: "workers started", by: name });
  },
};
