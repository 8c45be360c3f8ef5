import { type Classify, classifierOf } from "./classifier.ts";

/**
 * The effect is one connection of its own, and nothing else. A connection that was never made (refused, no such host, a certificate that was
 * refused, a time-out while connecting) has sent nothing, so it is not done. All other errors are left to others.
 *
 * Every classifier knows this. Declare this one for a library that has none of its own.
 *
 * @example { timeoutMs: 10_000, inDoubt: "hold", classify: connection }
 */
export const connection: Classify = classifierOf(
  () => false,
  () => undefined,
);
