import type { Feature } from "../../core/feature.ts";
import { declaredRetention } from "./retention.ts";

/** How long ended jobs are kept. */
export const retention: Feature = {
  name: "retention",
  ...declaredRetention,
  inWorker: () => import("./in-worker.ts"),
};
