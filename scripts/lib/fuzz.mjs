// Runs the fuzzing in its own process.
import { capture, show } from "./run.mjs";

/** Resolves to its exit code. */
export function runFuzz(args) {
  return show(...fuzzing(args));
}

/** Resolves to its exit code and output. */
export function captureFuzz(args) {
  return capture(...fuzzing(args));
}

function fuzzing(args) {
  return [process.execPath, ["--import", "tsx", "lab/fuzz/run.ts", ...args]];
}
