// Waits until somebody saves a file.
import path from "node:path";

/** One save is often several events, and one change several saves. */
const quietMs = 100;

/** Resolves once a file in `folders`, or one of `rootFiles`, has changed and everything is quiet again. */
export async function nextChange({ folders, rootFiles }) {
  const { watch } = await import("chokidar"); // not installed yet when this file is first loaded
  const watcher = watch(
    [...folders, ...rootFiles].map((name) => path.resolve(name)),
    { ignoreInitial: true, ignored: isScratch },
  );
  await new Promise((resolve) => {
    let quiet;
    watcher.on("all", () => {
      clearTimeout(quiet);
      quiet = setTimeout(resolve, quietMs);
    });
  });
  await watcher.close();
}

/** Swap files and backups come and go while a file is only open. */
function isScratch(file) {
  const name = path.basename(file);
  return (name.startsWith(".") && name !== ".env") || name.endsWith("~");
}
