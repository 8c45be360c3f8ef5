import { z } from "zod";
import { parseRate, RATE_EXPECTED } from "../../core/define/queue-settings.ts";
import type { Feature } from "../../core/feature.ts";
import { functionSchema, payloadKey, wholeQueuesFor } from "../payload-key.ts";

/** How many jobs of one key may start in a time, over all workers. */
export interface KeyedRate<Payload = unknown> {
  /**
   * Names what must not be started more often, such as a customer or the account of a downstream: 1 to 255 characters. Runs in the
   * producer, on the checked payload; only a hash is stored. Types of one queue that return the same key share its limit.
   */
  key(payload: Payload): string;
  /**
   * What people call the key, e.g. `customer:42`: 1 to 64 letters, digits and `. _ : @ / -`, the first a letter or digit. Stored in the clear,
   * also where jobs are encrypted. By it a key can be counted, paused and limited; of several in one contract, the first counts.
   *
   * @default none
   */
  label?(payload: Payload): string;
  /**
   * A number of starts, 1 to 10,000, and a time of at most a day in `ms`, `s`, `m` or `h`, such as `"10/1s"`. A changed limit applies to
   * jobs submitted from then on, and to those of their key that are held.
   */
  readonly limit: string;
}

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * At most so many jobs of one key start in any such time, by Redis's clock, over all workers; a retry is a start. Not in a queue that
     * has partitions.
     *
     * @default no limit
     * @example { key: (payload) => payload.customerId, limit: "10/1s" }
     */
    readonly rate?: KeyedRate<Payload>;
  }
  interface ContractDeclarations<Payload> {
    readonly rate: KeyedRate<Payload> | undefined;
  }
}

/** The queue remembers each of them. */
const COUNT_MAX = 10_000;

const rateSchema = z.string().refine((text) => {
  const rate = parseRate(text);
  return rate !== undefined && rate.count <= COUNT_MAX;
}, `expected ${RATE_EXPECTED}, of at most ${COUNT_MAX} starts`);

/** @internal At most so many jobs of one key start in a time. */
export const rate: Feature = {
  name: "rate",
  ofJob: {
    rate: {
      accepts: z.strictObject({
        key: functionSchema,
        label: functionSchema.optional(),
        limit: rateSchema,
      }),
    },
  },
  ...wholeQueuesFor("rate"),
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
