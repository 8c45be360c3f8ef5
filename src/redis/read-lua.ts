import { readFileSync } from "node:fs";

/**
 * Reads a Lua file beside a module.
 *
 * Only when the sources run as they are. The build writes each file's text where its name is, so that bundlers have nothing to copy,
 * and replaces this function by one that returns that text.
 */
export function readLua(moduleUrl: string, file: string): string {
  return readFileSync(new URL(file, moduleUrl), "utf8");
}
