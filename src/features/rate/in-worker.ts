import type { FeatureInWorker } from "../../core/feature.ts";
import { startRateSweep } from "./rate-sweep.ts";

export const inWorker: FeatureInWorker = { inPartition: (partition) => [startRateSweep(partition)] };
