import { dirname, extname, relative, resolve, sep } from "node:path";
import { watch } from "chokidar";
import { findConfig } from "../load-application.ts";

export type FileWatch = Awaited<ReturnType<typeof watchApplication>>;

/** One save is often several events, and one change several saves. */
const QUIET_MS = 100;
const SOURCES = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".json"]);

/** Watches the sources in the configuration's folder and below, and `.env`. Resolves once a change would be seen. */
export async function watchApplication(config: string) {
  const root = dirname(findConfig(config));
  const files = new Set([resolve(".env")]);
  // Folders, because a file can be removed and come back.
  const folders = new Set([root, resolve(".")]);
  const watcher = watch([...folders], {
    ignoreInitial: true,
    ignored: (path, stats) =>
      !files.has(path) && !folders.has(path) && !isSource(relative(root, path), stats?.isFile() ?? false),
  });
  let quiet: NodeJS.Timeout | undefined;
  let change = nextOne();
  watcher.on("error", () => {}); // a folder is gone
  watcher.on("all", (event, path) => {
    if (event.endsWith("Dir")) return;
    clearTimeout(quiet);
    quiet = setTimeout(() => change.resolve(path), QUIET_MS);
  });
  await new Promise<void>((ready) => watcher.once("ready", ready));
  return {
    /** From now on, also watches these files, wherever they are. */
    add(more: readonly string[]): void {
      const elsewhere = more.filter((file) => !file.startsWith(root + sep));
      for (const file of elsewhere) files.add(file);
      const unwatched = new Set(
        elsewhere.map((file) => dirname(file)).filter((folder) => !folders.has(folder)),
      );
      for (const folder of unwatched) folders.add(folder);
      watcher.add([...unwatched]);
    },
    /** Resolves to a path that has changed since the last call, once everything is quiet again. */
    async nextChange(): Promise<string> {
      const path = await change.promise;
      change = nextOne();
      return path;
    },
    close: () => watcher.close(),
  };
}

function nextOne() {
  let resolve: (path: string) => void = () => {};
  const promise = new Promise<string>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Neither packages nor what tools keep in hidden folders. @param path from the root */
function isSource(path: string, isFile: boolean): boolean {
  if (path.split(sep).some((name) => name === "node_modules" || name.startsWith("."))) return false;
  return !isFile || SOURCES.has(extname(path));
}
