import { existsSync, type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { dirname, extname, join, resolve, sep } from "node:path";
import { findConfig } from "../load-application.ts";

/** Waits for one change. */
export interface FileWatch {
  /** Resolves to the changed path once everything is quiet again. */
  readonly changed: Promise<string>;
  close(): void;
}

/** One save is often several events, and one change several saves. */
const QUIET_MS = 100;
const SOURCES = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".json"]);

/**
 * Watches an application: the sources in its configuration's folder and below, `.env`, and files it has loaded from elsewhere.
 *
 * Watches every folder by itself: the recursive mode of `fs.watch` misses files that an editor saves by renaming (seen on Node 20.20,
 * Linux).
 */
export function watchApplication(config: string, loaded: readonly string[]): FileWatch {
  const root = dirname(findConfig(config));
  const elsewhere = loaded.filter((file) => !file.startsWith(root + sep));
  const watchers: FSWatcher[] = [];
  const close = () => {
    for (const watcher of watchers) watcher.close();
  };
  const changed = new Promise<string>((done) => {
    let quiet: NodeJS.Timeout | undefined;
    const watchFor = (folder: string, matters: (path: string) => boolean) => {
      if (!existsSync(folder)) return;
      const watcher = watch(folder, (_event, name) => {
        const path = join(folder, name ?? "");
        if (name === null || !matters(path)) return;
        clearTimeout(quiet);
        quiet = setTimeout(() => done(path), QUIET_MS);
      });
      watcher.on("error", () => {}); // the folder is gone
      watchers.push(watcher);
    };
    for (const folder of foldersUnder(root)) watchFor(folder, (path) => isSource(path) || isNewFolder(path));
    for (const folder of new Set(elsewhere.map((file) => dirname(file))))
      watchFor(folder, (path) => elsewhere.includes(path));
    watchFor(resolve("."), (path) => path === resolve(".env"));
  });
  return { changed, close };
}

function foldersUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && isOwn(entry.name),
  );
  return [folder, ...below.flatMap(({ name }) => foldersUnder(join(folder, name)))];
}

/** Not packages, nor what tools keep in hidden folders. */
function isOwn(name: string): boolean {
  return name !== "node_modules" && !name.startsWith(".");
}

function isSource(path: string): boolean {
  const name = path.slice(path.lastIndexOf(sep) + 1);
  return SOURCES.has(extname(name)) && isOwn(name);
}

/** What is written into it at once is not seen. */
function isNewFolder(path: string): boolean {
  const name = path.slice(path.lastIndexOf(sep) + 1);
  return isOwn(name) && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
}
