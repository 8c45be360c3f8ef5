import type { Feature } from "../core/feature.ts";
import { schedules } from "../roles/schedules/feature.ts";
import { budget } from "./budget/feature.ts";
import { debounce } from "./debounce/feature.ts";
import { fairness } from "./fairness/feature.ts";
import { flows } from "./flows/feature.ts";
import { history } from "./history/feature.ts";
import { hooks } from "./hooks/feature.ts";
import { lanes } from "./lanes/feature.ts";
import { logs } from "./logs/feature.ts";
import { nextJobs } from "./next-jobs/feature.ts";
import { rate } from "./rate/feature.ts";
import { retention } from "./retention/feature.ts";
import { tags } from "./tags/feature.ts";

/** All features, in the order in which the path of a job calls them. */
export const features: readonly Feature[] = [
  logs,
  retention,
  budget,
  fairness,
  lanes,
  rate,
  flows,
  tags,
  debounce,
  schedules,
  history,
  nextJobs,
  hooks,
];
