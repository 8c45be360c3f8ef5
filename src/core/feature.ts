import type { Running } from "../platform/lib/running.ts";
import type { ConsumedPartition } from "./run/consumed-partition.ts";
import type { SubmitPoints } from "./submit/points.ts";

/**
 * What a feature adds to the path of a job. The path calls these points, in the order of the list of features, and knows no feature by
 * name. Every point is optional.
 */
export interface Feature extends SubmitPoints {
  readonly name: string;
  /** What each worker runs for a partition that it consumes, such as sweeps. It is stopped after the last attempt. */
  readonly inWorker?: (partition: ConsumedPartition) => readonly Running[];
}
