// Runs the table of truth in its own process, and installs the client libraries that it tries, which Holdfast itself does not need.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { step } from "./progress.mjs";
import { capture, must, show } from "./run.mjs";

const lockFile = "lab/truth/package-lock.json";
const stampFile = "lab/truth/node_modules/.holdfast-lock-hash";
/** The examples of providers use the same libraries. */
const examplesLink = "examples/providers/node_modules";

/** Resolves to its exit code. */
export function runEvidence(args) {
  return show(...evidence(args));
}

/** Resolves to its exit code and output. */
export function captureEvidence(args) {
  return capture(...evidence(args));
}

/** @param withRuntimes whether other runtimes than this Node.js are needed, which are large */
export function librariesAreFresh({ withRuntimes }) {
  const [hash, runtimes] = existsSync(stampFile) ? readFileSync(stampFile, "utf8").split(" ") : [];
  const isInstalled = hash === hashOfLockFile() && (!withRuntimes || runtimes === "runtimes");
  return isInstalled && existsSync(examplesLink);
}

export async function installLibraries({ withRuntimes }) {
  const args = ["ci", "--prefix", "lab/truth", "--ignore-scripts", "--no-audit", "--no-fund"];
  await step(`Installing client libraries${withRuntimes ? " and runtimes" : ""}`, () =>
    must(
      "npm",
      withRuntimes ? args : [...args, "--omit=optional"],
      "Installing the client libraries failed: see above.",
    ),
  );
  rmSync(examplesLink, { force: true });
  symlinkSync("../../lab/truth/node_modules", examplesLink);
  writeFileSync(stampFile, `${hashOfLockFile()}${withRuntimes ? " runtimes" : ""}`);
}

function hashOfLockFile() {
  return createHash("sha256").update(readFileSync(lockFile)).digest("hex");
}

function evidence(args) {
  return [process.execPath, ["--import", "tsx", "lab/truth/run.ts", ...args]];
}
