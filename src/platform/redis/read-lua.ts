import { fileURLToPath } from "node:url";
import { LuaLinker } from "./lua/link-lua.ts";
import { luaSources } from "./lua/lua-sources.ts";

let linker: LuaLinker | undefined;

/**
 * Reads a Lua file beside a module, with what it requires.
 *
 * Only when the sources run as they are. The build writes each script's text where its name is, so that bundlers have nothing to copy,
 * and replaces this function by one that returns that text.
 */
export function readLua(moduleUrl: string, file: string): string {
  linker ??= new LuaLinker(luaSources(fileURLToPath(new URL("../../", import.meta.url))));
  return linker.link(fileURLToPath(new URL(file, moduleUrl)));
}
