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

export const KEYED_LIMIT_MAX = 1_000;

/** The concurrency key of one job, and how many jobs of the key may be under way. */
export interface KeyedLimit {
  readonly key: string;
  readonly limit: number;
}

/** @throws HoldfastError `INVALID_PAYLOAD` if the function throws, or returns what it must not */
export function keyedLimitOf({ key: keyOf, limit }: KeyedConcurrency, payload: unknown): KeyedLimit {
  return { key: payloadKey("concurrency.key", () => keyOf(payload)), limit };
}
