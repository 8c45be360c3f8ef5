import type { FeatureInWorker } from "../../core/feature.ts";
import { countAttempts } from "./history-writer.ts";
import { addMark } from "./marks.ts";

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [countAttempts(partition)],
  onStart({ name, queues }) {
    for (const store of queues) void addMark(store, { kind: "started", text: "workers started", by: name });
  },
};
