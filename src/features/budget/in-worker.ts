import type { FeatureInWorker } from "../../core/feature.ts";
import { startBudgetSweep } from "./budget-sweep.ts";

export const inWorker: FeatureInWorker = { inProcess: startBudgetSweep };
