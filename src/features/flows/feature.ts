import type { Feature } from "../../core/feature.ts";
import { childrenInAttempts } from "./children.ts";
import { declaredChildFailure } from "./declared.ts";
import { startParentSweep } from "./parent-sweep.ts";

/** Jobs that run when others have ended. */
export const flows: Feature = {
  name: "flows",
  ...declaredChildFailure,
  inWorker: (partition) => [{ ...startParentSweep(partition), ...childrenInAttempts(partition.store) }],
};
