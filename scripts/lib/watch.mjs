// Waiting for somebody to save a file.
import { existsSync, readdirSync, watch } from "node:fs";
import path from "node:path";

/** One save is often several events, and one change several saves. */
const quietMs = 100;

/**
 * Resolves once something under `folders`, or one of the `rootFiles`, has changed and all is quiet again.
 *
 * Watches every folder by itself: the recursive mode of `fs.watch` no longer sees a file that an editor has
 * saved by renaming a new one over it (seen on Node 20.20, Linux).
 */
export function nextChange({ folders, rootFiles }) {
  return new Promise((resolve) => {
    let quiet;
    const onChange = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => {
        for (const watcher of watchers) watcher.close();
        resolve();
      }, quietMs);
    };
    const watchers = folders.flatMap(withSubfolders).map((folder) =>
      watch(folder, (_event, name) => {
        if (!isEditorsOwn(name)) onChange();
      }),
    );
    watchers.push(
      watch(".", (_event, name) => {
        if (rootFiles.includes(name)) onChange();
      }),
    );
  });
}

function withSubfolders(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const subfolders = entries.filter((entry) => entry.isDirectory());
  return [folder, ...subfolders.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))];
}

/** Swap files and backups come and go while a file is merely open. */
function isEditorsOwn(name) {
  return name.startsWith(".") || name.endsWith("~");
}
