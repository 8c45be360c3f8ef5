import { z } from "zod";
import type { Declaration } from "../declaration.ts";
import { payloadKey } from "../payload-key.ts";

/** How many jobs of one key may be under way at a time, over all workers. */
export interface KeyedConcurrency<Payload = unknown> {
  /**
   * Names what must not be worked on more often at a time, such as a customer: 1 to 255 characters. Runs in the producer, on the
   * checked payload; only a hash is stored. Types of one queue that return the same key share its limit.
   */
  key(payload: Payload): string;
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

export const declaredConcurrency: Declaration = {
  ofJob: {
    concurrency: {
      accepts: z.strictObject({
        key: z.custom((value: unknown) => typeof value === "function", "expected a function"),
        limit: z.number().int().min(1).max(LIMIT_MAX),
      }),
    },
  },
  // A partition knows only its own jobs, so no limit for a key would hold in several.
  dividedFaultsOf: (jobs, partitionsOf) =>
    jobs
      .filter(({ concurrency, queue }) => concurrency !== undefined && partitionsOf(queue) > 1)
      .map(
        ({ type, queue }) =>
          `job "${type}": concurrency: expected a queue without partitions, got "${queue}", which has ${partitionsOf(queue)}`,
      ),
};

/** The concurrency key of one job, and how many jobs of the key may be under way. */
export interface KeyedLimit {
  readonly key: string;
  readonly limit: number;
}

/** @throws HoldfastError `INVALID_PAYLOAD` if the function throws, or returns what it must not */
export function keyedLimitOf({ key: keyOf, limit }: KeyedConcurrency, payload: unknown): KeyedLimit {
  return { key: payloadKey("concurrency.key", () => keyOf(payload)), limit };
}
