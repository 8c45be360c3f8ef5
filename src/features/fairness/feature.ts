import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { calledForPayload, functionSchema, payloadKey, payloadRefused, shown } from "../payload-key.ts";

/** Whose turn a job takes. Jobs of one queue and priority share the queue's capacity among these keys, not in order of submission. */
export interface Fairness<Payload = unknown> {
  /** Names the tenant: 1 to 255 characters. Runs in the producer, on the checked payload; only a hash is stored. */
  key(payload: Payload): string;
  /**
   * What people call the key, e.g. `customer:42`: 1 to 64 letters, digits and `. _ : @ / -`, the first a letter or digit. Stored in the clear,
   * also where jobs are encrypted. By it a key can be counted, paused and limited; of several in one contract, the first counts.
   *
   * @default none
   */
  label?(payload: Payload): string;
  /**
   * How many turns a tenant gets for each turn of a tenant of weight 1: 0.01 to 100.
   *
   * @default 1 for each
   */
  weight?(key: string): number;
}

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * Shares the queue's capacity among tenants, so that many jobs of one do not stand before another's. Give such types a queue of
     * their own.
     *
     * @default first come, first served
     * @example { key: (payload) => payload.tenantId }
     */
    readonly fairness?: Fairness<Payload>;
  }
  interface ContractDeclarations<Payload> {
    readonly fairness: Fairness<Payload> | undefined;
  }
}

const WEIGHT_MIN = 0.01;
const WEIGHT_MAX = 100;

/** Whose turn one job takes. @throws HoldfastError `INVALID_PAYLOAD` if a function throws, or returns what it must not */
function fairShareOf({ key: keyOf, weight: weightOf = () => 1 }: Fairness, payload: unknown) {
  const key = payloadKey("fairness.key", () => keyOf(payload));
  const weight = calledForPayload("fairness.weight", () => weightOf(key));
  if (typeof weight === "number" && weight >= WEIGHT_MIN && weight <= WEIGHT_MAX) return { key, weight };
  const expected = `expected to return ${WEIGHT_MIN} to ${WEIGHT_MAX}`;
  throw payloadRefused(`fairness.weight: ${expected}, got ${shown(weight)}`);
}

/** @internal Shares a queue's capacity among tenants. */
export const fairness: Feature = {
  name: "fairness",
  ofJob: {
    fairness: {
      accepts: z.strictObject({
        key: functionSchema,
        label: functionSchema.optional(),
        weight: functionSchema.optional(),
      }),
    },
  },
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
