import type { Feature } from "../core/feature.ts";
import { fairness } from "./fairness/feature.ts";
import { formerQueues } from "./former-queues/feature.ts";
import { lanes } from "./lanes/feature.ts";
import { tags } from "./tags/feature.ts";

/** The features of Holdfast, in the order in which a job's path calls them. */
export const features: readonly Feature[] = [fairness, lanes, tags, formerQueues];
