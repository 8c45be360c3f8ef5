// Installs the npm packages if they differ from package-lock.json.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { step } from "./progress.mjs";
import { must } from "./run.mjs";

const lockFile = "package-lock.json";
/** npm writes this file last, so an interrupted install has none. */
const installRecord = "node_modules/.package-lock.json";
const stampFile = "node_modules/.holdfast-lock-hash";
/** Only exists with the development dependencies, which the build needs. */
const compiler = "node_modules/typescript/package.json";

/** Whether node_modules matches package-lock.json. */
export function dependenciesAreFresh() {
  if (!existsSync(installRecord) || !existsSync(compiler)) return false;
  return modifiedAtMs(installRecord) >= modifiedAtMs(lockFile) || readStamp() === hashOfLockFile();
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
