import type { FeatureInWorker } from "../../core/feature.ts";
import { childrenInAttempts } from "./children.ts";
import { startParentSweep } from "./parent-sweep.ts";

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [{ ...startParentSweep(partition), ...childrenInAttempts(partition.store) }],
};
