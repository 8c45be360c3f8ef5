import type { Feature } from "../../core/feature.ts";
import { declaredFairness, fairShareOf } from "./fairness.ts";

/** Shares a queue's capacity among tenants. */
export const fairness: Feature = {
  name: "fairness",
  ...declaredFairness,
  partOf({ fairness }, payload) {
    if (fairness === undefined) return undefined;
    const { key, weight } = fairShareOf(fairness, payload);
    return {
      travel: (hash) => ({
        // 64 bits: a collision costs two tenants a share. Then the rounds between two of the tenant's jobs.
        extras: { fairness: `${hash("tenant", key, 16)} ${1 / weight}` },
        // Only jobs with a priority have rounds. 1 is the first.
        leastPriority: 1,
      }),
    };
  },
};
