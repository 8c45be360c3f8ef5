import { setFlagsFromString } from "node:v8";

/** V8 only warns about unknown flags; a test fails. */
export const collectorFlags = {
  loading: ["--semi-space-growth-factor=1", "--heap-growing-percent=15"],
  working: ["--semi-space-growth-factor=2", "--heap-growing-percent=0"],
  serving: ["--no-allocation-site-pretenuring", "--heap-growing-percent=100"],
};

/**
 * Tunes V8's garbage collector for the time in which code is loaded. By default both generations grow then to make room for garbage, and an
 * idle process never gives that back: 10 to 20 MB. `npm run compat` measures idle processes.
 */
export function tuneForLoading(): void {
  setFlags(collectorFlags.loading);
}

/** Back to V8's defaults. */
export function tuneForWork(): void {
  setFlags(collectorFlags.working);
}

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
  setFlags(collectorFlags.serving);
}

function setFlags(flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
}
