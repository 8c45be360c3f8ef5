import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let root: string | undefined;
let folders = 0;
const undoings: (() => void)[] = [];

/** To be undone before the folders go, however the laboratory ends. Must be safe to do twice. */
export function beforeRemoval(undo: () => void): void {
  undoings.push(undo);
}

/** A new folder of this run's. With `LAB_KEEP` set all of them stay after it, for whoever wants to look into one. */
export function scratchFolder(name: string): string {
  root ??= mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  folders += 1;
  const folder = join(root, `${folders}-${name}`);
  mkdirSync(folder);
  return folder;
}

/** To be called last, when no process of the laboratory writes any more. */
export function removeScratch(): void {
  for (const undo of undoings) undo();
  if (root === undefined) return;
  if (process.env.LAB_KEEP === undefined) rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  else process.stderr.write(`Kept: ${root}\n`);
}
