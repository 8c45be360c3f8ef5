import type { FeatureInWorker } from "../../core/feature.ts";
import { startLedgerSweep } from "./ledger-sweep.ts";

/** What no step of an effect can do at its job's end: a ledger expires, a doubt is listed, a job whose doubts are resolved goes on. */
export const inWorker: FeatureInWorker = { inPartition: (partition) => [startLedgerSweep(partition)] };
