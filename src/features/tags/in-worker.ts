import type { FeatureInWorker } from "../../core/feature.ts";
import { startTagSweep } from "./tag-sweep.ts";

export const inWorker: FeatureInWorker = { inPartition: (partition) => [startTagSweep(partition)] };
