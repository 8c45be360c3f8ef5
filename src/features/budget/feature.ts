import type { Feature } from "../../core/feature.ts";
import { declaredBudget } from "./declared.ts";

/** How much of Redis's memory ended jobs may take. */
export const budget: Feature = {
  name: "budget",
  ...declaredBudget,
  inWorker: () => import("./budget-sweep.ts"),
};
