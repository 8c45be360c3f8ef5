import type { FeatureInWorker } from "../../core/feature.ts";
import { startLaneSweep } from "./lane-sweep.ts";
import { letNextInAtEnds } from "./let-next-in.ts";

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [{ ...startLaneSweep(partition), ...letNextInAtEnds(partition) }],
};
