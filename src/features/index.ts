import type { Feature } from "../core/feature.ts";
import { notices } from "../roles/notices/feature.ts";
import { schedules } from "../roles/schedules/feature.ts";
import { budget } from "./budget/feature.ts";
import { debounce } from "./debounce/feature.ts";
import { fairness } from "./fairness/feature.ts";
import { flows } from "./flows/feature.ts";
import { labels } from "./labels/feature.ts";
import { lanes } from "./lanes/feature.ts";
import { logs } from "./logs/feature.ts";
import { rate } from "./rate/feature.ts";
import { retention } from "./retention/feature.ts";
import { search } from "./search/feature.ts";
import { tags } from "./tags/feature.ts";

export type * from "../roles/notices/feature.ts";
// Their public types, and what they add to those of others.
export type * from "../roles/schedules/feature.ts";
export type * from "./budget/feature.ts";
export type * from "./debounce/feature.ts";
export type * from "./fairness/feature.ts";
export type * from "./flows/feature.ts";
export type * from "./labels/feature.ts";
export type * from "./lanes/feature.ts";
export type * from "./rate/feature.ts";
export type * from "./retention/feature.ts";
export type * from "./search/feature.ts";
export type * from "./tags/feature.ts";

const list = [
  logs,
  retention,
  budget,
  // Before what holds jobs back: a retried parent waits for its children first.
  flows,
  fairness,
  lanes,
  rate,
  labels,
  // Before tags: a value has fewer jobs, and of two indexes the first is read.
  search,
  tags,
  debounce,
  schedules,
  notices,
] as const;

/** @internal All features, in the order in which everything calls them. */
export const features: readonly Feature[] = list;

/** @internal */
export type ListedFeature = (typeof list)[number];

/** @internal All of them at once, of a union. */
export type All<Members> = [Members] extends [never]
  ? Readonly<Record<never, never>>
  : (Members extends unknown ? (members: Members) => void : never) extends (all: infer Every) => void
    ? Every
    : never;
