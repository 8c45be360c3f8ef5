import { readFileSync } from "node:fs";

const INCLUDE = /^( *)-- @include (\S+)\n/gm;

/**
 * Reads a Lua script, and in place of each line `-- @include ./other.lua` that other file, the first time that it is named. The build
 * does the same. An indented line is in a block: nothing outside of the block sees what it includes.
 */
export function includeLua(file: URL, included = new Set<string>()): string {
  included.add(file.href);
  return readFileSync(file, "utf8").replace(INCLUDE, (_line, indent: string, name: string) => {
    const other = new URL(name, file);
    if (included.has(other.href)) return "";
    return includeLua(other, indent === "" ? included : new Set(included));
  });
}
