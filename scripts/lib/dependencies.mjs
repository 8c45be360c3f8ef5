// Installing the npm packages, where they are not what package-lock.json says.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { step } from "./progress.mjs";
import { must } from "./run.mjs";

const lockFile = "package-lock.json";
/** npm writes this file last, so a broken-off install leaves none. */
const npmsOwnRecord = "node_modules/.package-lock.json";
const stampFile = "node_modules/.holdfast-lock-hash";
/** There only where the development dependencies are, which the build needs. */
const compiler = "node_modules/typescript/package.json";

/** Whether node_modules holds what package-lock.json asks for, no matter who installed it. */
export function dependenciesAreFresh() {
  if (!existsSync(npmsOwnRecord) || !existsSync(compiler)) return false;
  return modifiedAtMs(npmsOwnRecord) >= modifiedAtMs(lockFile) || readStamp() === hashOfLockFile();
}

export async function installDependencies() {
  await step("Installing dependencies", () =>
    must(
      "npm",
      ["ci", "--include=dev", "--no-audit", "--no-fund"],
      "Installing the dependencies failed: see above.",
    ),
  );
  writeFileSync(stampFile, hashOfLockFile());
}

function modifiedAtMs(file) {
  return statSync(file).mtimeMs;
}

function hashOfLockFile() {
  return createHash("sha256").update(readFileSync(lockFile)).digest("hex");
}

function readStamp() {
  return existsSync(stampFile) ? readFileSync(stampFile, "utf8") : undefined;
}
