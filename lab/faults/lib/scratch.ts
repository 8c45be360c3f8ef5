import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let root: string | undefined;
let folders = 0;
const cleanups: (() => void)[] = [];

/** Runs before the folders are removed. Must be safe to run twice. */
export function beforeRemoval(cleanUp: () => void): void {
  cleanups.push(cleanUp);
}

/** A new folder for this run. With `LAB_KEEP` set, all folders stay for inspection. */
export function scratchFolder(name: string): string {
  root ??= makeRoot();
  folders += 1;
  const folder = join(root, `${folders}-${name}`);
  mkdirSync(folder);
  return folder;
}

function makeRoot(): string {
  const made = mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  process.on("exit", () => remove(made));
  return made;
}

function remove(root: string): void {
  for (const cleanUp of cleanups) cleanUp();
  if (process.env.LAB_KEEP === undefined) rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  else process.stderr.write(`Kept: ${root}\n`);
}
