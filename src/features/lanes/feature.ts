import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { functionSchema, payloadKey, wholeQueuesFor } from "../payload-key.ts";

/** How many jobs of one key may be under way at a time, over all workers. */
export interface KeyedConcurrency<Payload = unknown> {
  /**
   * Names what must not be worked on more often at a time, such as a customer: 1 to 255 characters. Runs in the producer, on the
   * checked payload; only a hash is stored. Types of one queue that return the same key share its limit.
   */
  key(payload: Payload): string;
  /**
   * What people call the key, e.g. `customer:42`: 1 to 64 letters, digits and `. _ : @ / -`, the first a letter or digit. Stored in the clear,
   * also where jobs are encrypted. By it a key can be counted, paused and limited; of several in one contract, the first counts.
   *
   * @default none
   */
  label?(payload: Payload): string;
  /** 1 to 1,000. At 1, jobs of one key run in order of submission. A changed limit applies to jobs submitted from then on. */
  readonly limit: number;
}

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * At most `limit` jobs of one key are under way at a time, over all workers; at 1 they run in order of submission, retries included.
     * Not in a queue that has partitions.
     *
     * @default no limit
     * @example { key: (payload) => payload.customerId, limit: 1 }
     */
    readonly concurrency?: KeyedConcurrency<Payload>;
  }
  interface ContractDeclarations<Payload> {
    readonly concurrency: KeyedConcurrency<Payload> | undefined;
  }
}

const LIMIT_MAX = 1_000;

/** @internal At most so many jobs of one concurrency key are under way. */
export const lanes: Feature = {
  name: "lanes",
  ofJob: {
    concurrency: {
      accepts: z.strictObject({
        key: functionSchema,
        label: functionSchema.optional(),
        limit: z.number().int().min(1).max(LIMIT_MAX),
      }),
    },
  },
  ...wholeQueuesFor("concurrency"),
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
