import type { FeatureInWorker } from "../../core/feature.ts";
import { startExpirySweep } from "./expiry-sweep.ts";
import { retentionSweeps } from "./retention-sweep.ts";

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [startExpirySweep(partition), ...retentionSweeps(partition)],
};
