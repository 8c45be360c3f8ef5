import type { Feature } from "../../core/feature.ts";
import { startTagSweep } from "./tag-sweep.ts";

/** What people find jobs by. */
export const tags: Feature = {
  name: "tags",
  inWorker: (partition) => [startTagSweep(partition)],
};
