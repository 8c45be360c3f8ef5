import type { Feature } from "../../core/feature.ts";
import { startParentSweep } from "./parent-sweep.ts";

/** Jobs that run when others have ended. */
export const flows: Feature = {
  name: "flows",
  inWorker: (partition) => [startParentSweep(partition)],
};
