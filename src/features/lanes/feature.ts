import type { Feature } from "../../core/feature.ts";
import { payloadKey } from "../payload-key.ts";
import { declaredConcurrency } from "./keyed-concurrency.ts";

/** At most so many jobs of one concurrency key are under way. */
export const lanes: Feature = {
  name: "lanes",
  ...declaredConcurrency,
  partOf({ concurrency }, payload) {
    if (concurrency === undefined) return undefined;
    const { limit } = concurrency;
    const key = payloadKey("concurrency.key", () => concurrency.key(payload));
    return {
      heldBy: "concurrency",
      travel(hash) {
        // 96 bits: a collision would let two keys share a limit.
        const lane = hash("lane", key, 24);
        return { extras: { lanes: { hash: lane, limit } }, stored: { lane } };
      },
    };
  },
  inWorker: () => import("./in-worker.ts"),
};
