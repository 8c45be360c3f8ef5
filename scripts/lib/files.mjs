// Lists files and folders.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";

/** The paths of all files in a folder and below, sorted. */
export function filesUnder(folder) {
  return entriesUnder(folder)
    .filter((entry) => entry.isFile())
    .map(pathOf)
    .sort();
}

/** The paths of a folder and all folders below; none if it does not exist. */
export function foldersUnder(folder) {
  if (!existsSync(folder)) return [];
  const subfolders = entriesUnder(folder).filter((entry) => entry.isDirectory());
  return [folder, ...subfolders.map(pathOf)];
}

function entriesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true });
}

function pathOf(entry) {
  return path.join(entry.parentPath, entry.name);
}
