import type { Feature } from "../../core/feature.ts";
import { parseRate } from "../../core/job/queue-settings.ts";
import { payloadKey } from "../payload-key.ts";
import { declaredRate } from "./keyed-rate.ts";

/** At most so many jobs of one key start in a time. */
export const rate: Feature = {
  name: "rate",
  ...declaredRate,
  partOf({ rate: declared }, payload) {
    if (declared === undefined) return undefined;
    const { count: limit = 1, perMs: windowMs = 1 } = parseRate(declared.limit) ?? {};
    const key = payloadKey("rate.key", () => declared.key(payload));
    return {
      heldBy: "rate",
      // 96 bits: a collision would let two keys share a limit.
      travel: (hash) => ({ extras: { rate: { hash: hash("rate", key, 24), limit, windowMs } } }),
    };
  },
  inWorker: () => import("./in-worker.ts"),
};
