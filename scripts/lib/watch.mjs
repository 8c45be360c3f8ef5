// Waits until somebody saves a file.
import { watch } from "node:fs";
import { foldersUnder } from "./files.mjs";

/** One save is often several events, and one change several saves. */
const quietMs = 100;

/**
 * Resolves once a file in `folders`, or one of `rootFiles`, has changed and everything is quiet again.
 *
 * Watches every folder by itself: the recursive mode of `fs.watch` misses files that an editor saves by renaming (seen on Node 20.20,
 * Linux).
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
    const watchFor = (folder, matters) =>
      watch(folder, (_event, name) => {
        if (matters(name)) onChange();
      });
    const watchers = [
      ...folders.flatMap(foldersUnder).map((folder) => watchFor(folder, isSource)),
      watchFor(".", (name) => rootFiles.includes(name)),
    ];
  });
}

/** Swap files and backups come and go while a file is only open. */
function isSource(name) {
  return !name.startsWith(".") && !name.endsWith("~");
}
