import type { Declaration } from "../core/define/declaration.ts";
import { declaredSchedules } from "../roles/schedules/declared.ts";
import { declaredBudget } from "./budget/feature.ts";
import { declaredFairness } from "./fairness/feature.ts";
import { declaredChildFailure } from "./flows/feature.ts";
import { declaredConcurrency } from "./lanes/feature.ts";
import { declaredRate } from "./rate/feature.ts";
import { declaredRetention } from "./retention/retention.ts";

export type {} from "../roles/schedules/declared.ts";
export type {} from "./budget/feature.ts";
// Exported so that the public types include the members that features add.
export type {} from "./debounce/feature.ts";
export type {} from "./debounce/status.ts";
export type {} from "./fairness/feature.ts";
export type {} from "./flows/feature.ts";
export type {} from "./flows/status.ts";
export type {} from "./held-status.ts";
export type {} from "./hooks/feature.ts";
export type {} from "./lanes/feature.ts";
export type {} from "./next-jobs/feature.ts";
export type {} from "./rate/feature.ts";
export type {} from "./retention/retention.ts";
export type {} from "./tags/feature.ts";
export type {} from "./tags/status.ts";

/** What features let contracts and applications declare. Apart from the list of features: every process loads its contracts. */
export const declarations: readonly Declaration[] = [
  declaredFairness,
  declaredRetention,
  declaredBudget,
  declaredConcurrency,
  declaredRate,
  declaredChildFailure,
  declaredSchedules,
];
