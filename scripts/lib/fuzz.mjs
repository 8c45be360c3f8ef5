// Runs the fuzzing in its own process.
import { show } from "./run.mjs";

/** Resolves to its exit code. */
export function runFuzz(args) {
  return show(process.execPath, ["--import", "tsx", "fuzz/run.ts", ...args]);
}
