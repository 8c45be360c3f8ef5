import type { Feature } from "../../core/feature.ts";
import { startExpirySweep } from "./expiry-sweep.ts";
import { declaredRetention } from "./retention.ts";
import { retentionSweeps } from "./retention-sweep.ts";

/** How long ended jobs are kept. */
export const retention: Feature = {
  name: "retention",
  ...declaredRetention,
  inWorker: (partition) => [startExpirySweep(partition), ...retentionSweeps(partition)],
};
