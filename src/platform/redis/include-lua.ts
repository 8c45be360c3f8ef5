import { readFileSync } from "node:fs";

const INCLUDE = /^-- @include (\S+)\n/gm;

/**
 * Reads a Lua script, and in place of each line `-- @include ./other.lua` that other file, the first time that it is named. The build
 * does the same.
 */
export function includeLua(file: URL, included = new Set<string>()): string {
  included.add(file.href);
  return readFileSync(file, "utf8").replace(INCLUDE, (_line, name: string) => {
    const other = new URL(name, file);
    return included.has(other.href) ? "" : includeLua(other, included);
  });
}
