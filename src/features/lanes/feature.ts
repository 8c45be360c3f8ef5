import type { Feature } from "../../core/feature.ts";
import { startLaneSweep } from "./lane-sweep.ts";
import { letNextInAtEnds } from "./let-next-in.ts";

/** At most so many jobs of one concurrency key are under way. */
export const lanes: Feature = {
  name: "lanes",
  inWorker: (partition) => [{ ...startLaneSweep(partition), ...letNextInAtEnds(partition) }],
};
