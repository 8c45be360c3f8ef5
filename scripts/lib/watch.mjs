// Waiting for somebody to save a file.
import { watch } from "node:fs";
import { foldersUnder } from "./files.mjs";

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
    const watchFor = (folder, matters) =>
      watch(folder, (_event, name) => {
        if (matters(name)) onChange();
      });
    const watchers = [
      ...folders.flatMap(foldersUnder).map((folder) => watchFor(folder, isNoEditorsOwn)),
      watchFor(".", (name) => rootFiles.includes(name)),
    ];
  });
}

/** Swap files and backups come and go while a file is merely open. */
function isNoEditorsOwn(name) {
  return !name.startsWith(".") && !name.endsWith("~");
}
