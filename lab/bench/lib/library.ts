import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where a library is that only an opponent uses. */
export function libraryFolder(name: string): string {
  return fileURLToPath(new URL(`../../../node_modules/.cache/holdfast/bench/${name}`, import.meta.url));
}

/** Installs a library that only an opponent uses, once. */
export async function installLibrary(name: string, packages: readonly string[]): Promise<void> {
  const folder = libraryFolder(name);
  if (existsSync(join(folder, "node_modules"))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages], { cwd: folder });
}
