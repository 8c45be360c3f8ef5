// Runs the fault laboratory in its own process.
import { show } from "./run.mjs";

/** Resolves to its exit code. */
export function runFaults(args) {
  return show(process.execPath, ["--import", "tsx", "lab/faults/run.ts", ...args]);
}
