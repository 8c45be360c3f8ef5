import type { FeatureInWorker } from "../../core/feature.ts";
import { startLedgerSweep } from "./ledger-sweep.ts";

export const inWorker: FeatureInWorker = { inPartition: (partition) => [startLedgerSweep(partition)] };
