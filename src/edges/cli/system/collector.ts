import { setFlagsFromString } from "node:v8";

/** V8 only warns about unknown flags; a test fails. */
export const collectorFlags = ["--no-allocation-site-pretenuring", "--heap-growing-percent=100"];

/**
 * Tunes V8's garbage collector for a server that keeps thousands of requests open for minutes (subscribers) and answers a
 * thousand others a second. Benchmark row: 10,000 subscribers, submit p99.
 *
 * - Every new object starts in the young generation. By default V8 learns from long requests to allocate in the old one:
 *   short requests then left 5 MB of garbage a second there.
 * - The old generation may double between two collections. By default it may grow only a little, and V8 marked everything
 *   kept for 10,000 subscribers every four seconds.
 *
 * Flags of the command line still count, e.g. the maximum heap size.
 */
export function tuneForServing(): void {
  for (const flag of collectorFlags) setFlagsFromString(flag);
}
