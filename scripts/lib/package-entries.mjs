// The entries of the package that people import.
import { readFileSync } from "node:fs";
import path from "node:path";

/** Each entry's name and its TypeScript source. */
export function packageEntries() {
  const { name, exports } = JSON.parse(readFileSync("package.json", "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([entry, target]) => ({ name: path.posix.join(name, entry), source: target["holdfast-source"] }));
}

/** Their compiled modules, in `build/`. */
export function modulesOfEntries() {
  return packageEntries().map(({ source }) => path.relative("src", source).replace(/\.ts$/, ".js"));
}
