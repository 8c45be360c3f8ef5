import { declaredBudget } from "./budget/declared.ts";
import type { Declaration, DeclaredMembers } from "./declaration.ts";
import { declaredFairness } from "./fairness/fairness.ts";
import { declaredChildFailure } from "./flows/declared.ts";
import { declaredConcurrency } from "./lanes/keyed-concurrency.ts";
import { declaredRate } from "./rate/keyed-rate.ts";
import { declaredRetention } from "./retention/retention.ts";
import { declaredSchedules } from "./schedules/declared.ts";

export type {} from "./budget/declared.ts";
// Whoever reads the public types needs what features add to them.
export type {} from "./debounce/debounce.ts";
export type {} from "./fairness/fairness.ts";
export type {} from "./flows/declared.ts";
export type {} from "./hooks/feature.ts";
export type {} from "./lanes/keyed-concurrency.ts";
export type {} from "./next-jobs/feature.ts";
export type {} from "./rate/keyed-rate.ts";
export type {} from "./retention/retention.ts";
export type {} from "./schedules/declared.ts";
export type {} from "./tags/tags.ts";

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

export const jobMembers: DeclaredMembers = Object.assign({}, ...declarations.map(({ ofJob }) => ofJob));
