import { includeLua } from "./include-lua.ts";

/**
 * Reads a Lua file beside a module, with what it includes.
 *
 * Only when the sources run as they are. The build writes each file's text where its name is, so that bundlers have nothing to copy,
 * and replaces this function by one that returns that text.
 */
export function readLua(moduleUrl: string, file: string): string {
  return includeLua(new URL(file, moduleUrl));
}
