// The entries of the package that people import.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const imports = /\b(?:from|import)\s*\(?\s*"(\.[^"]+\.(?:js|ts))"/g;

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

/** Their types. */
export function typesOfEntries() {
  return modulesOfEntries().map(typesOf);
}

function typesOf(module) {
  return module.replace(/\.[jt]s$/, ".d.ts");
}

/** Modules of `build/` and all that they import; or types, and theirs. */
export function reachedFrom(files) {
  const reached = new Set(files);
  for (const file of reached) {
    for (const [, specifier] of readFileSync(path.join("build", file), "utf8").matchAll(imports)) {
      const imported = path.join(path.dirname(file), specifier);
      const found = file.endsWith(".d.ts") ? typesOf(imported) : imported;
      if (existsSync(path.join("build", found))) reached.add(found);
    }
  }
  return reached;
}
