import { loadInclude } from "./script.ts";

/** Lua functions that scripts of every room include. */
export const nowLua = loadInclude(import.meta.url, "now.lua");
export const epochLua = loadInclude(import.meta.url, "epoch.lua");
export const memoryLua = loadInclude(import.meta.url, "memory.lua");
