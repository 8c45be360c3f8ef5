import type { Feature } from "../../core/feature.ts";
import { declaredChildFailure } from "./declared.ts";

/** Jobs that run when others have ended. */
export const flows: Feature = {
  name: "flows",
  ...declaredChildFailure,
  inWorker: () => import("./in-worker.ts"),
};
