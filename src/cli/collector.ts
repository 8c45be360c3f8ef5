import { setFlagsFromString } from "node:v8";

/** V8 goes on without a flag that it does not know, with a line of complaint; a test fails. */
export const collectorFlags = ["--no-allocation-site-pretenuring", "--heap-growing-percent=100"];

/**
 * Sets V8's garbage collector up for a server that keeps thousands of requests for minutes (followers), and answers a
 * thousand others a second in milliseconds, by the same code.
 *
 * - Every new object may die young. Left alone V8 allocates in the old generation what it has seen to live long, and once it
 *   took short requests for such, with all that hangs on them, they left 5 MB of garbage a second there.
 * - The old generation may double between two collections. Left alone V8 lets one that grows slowly grow by a little only, so
 *   that it marked all that is kept for ten thousand followers again every four seconds, while clients waited.
 *
 * Other flags of the command line, e.g. for the most that the heap may take, count as before.
 */
export function setUpCollector(): void {
  for (const flag of collectorFlags) setFlagsFromString(flag);
}
