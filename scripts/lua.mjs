// Checks the Lua of a folder of sources: `node --import tsx scripts/lua.mjs [src]`. Prints a line for each fault.
import { readFileSync } from "node:fs";
import path from "node:path";
import { LuaLinker } from "../src/platform/redis/lua/link-lua.ts";
import { requiredBy } from "../src/platform/redis/lua/lua-module.ts";
import { luaSources } from "../src/platform/redis/lua/lua-sources.ts";
import { lineAt } from "../src/platform/redis/lua/lua-syntax.ts";
import { filesUnder } from "./lib/files.mjs";

const root = path.resolve(process.argv[2] ?? "src");
const files = filesUnder(root);
const sources = luaSources(root);
const linker = new LuaLinker(sources);
/** What the modules of the product load: Redis runs it. */
const scripts = new Set(files.filter((file) => /(?<!\.test)\.ts$/.test(file)).flatMap(loadedBy));
const faults = scripts.size === 0 ? ["No module loads a script"] : [...scripts].flatMap(faultsOfLinking);
if (faults.length === 0) {
  const modules = files.filter((file) => file.endsWith(".lua")).flatMap(readable);
  const used = new Set(modules.flatMap(usedBy));
  faults.push(...modules.flatMap((module) => unusedIn(module, used)));
}
for (const line of new Set(faults)) console.log(line);
process.exitCode = faults.length === 0 ? 0 : 1;

function loadedBy(file) {
  const names = readFileSync(file, "utf8").matchAll(/import\.meta\.url,\s*"([\w-]+\.lua)"/g);
  return [...names].map(([, name]) => path.join(path.dirname(file), name));
}

function faultsOfLinking(file) {
  try {
    linker.link(file);
    return [];
  } catch (error) {
    return [error.message];
  }
}

function readable(file) {
  if (linker.isReached(file)) return [linker.read(file)];
  faults.push(`${path.relative(root, file)} is no script, and none requires it`);
  return [];
}

/** What it uses of others, as `<file> <export>`; and of a point all that is registered for it. */
function usedBy(module) {
  return requiredBy(module).flatMap(({ binding, required }) => {
    const files = linker.filesOf(module, required);
    const point = /^point:(.+)$/.exec(required)?.[1];
    if (point !== undefined) return files.map((file) => `${file} ${point}`);
    return module.tokens.flatMap((token, at) =>
      token.binding === binding && !token.isDeclaration ? [`${files[0]} ${module.tokens[at + 2]?.text}`] : [],
    );
  });
}

function unusedIn(module, used) {
  const { file, path, exports, tokens, source, isScript } = module;
  const isUsed = (binding) => tokens.some((token) => token.binding === binding && !token.isDeclaration);
  // BullMQ's script, which stands behind it, uses what claim.lua declares.
  const declared =
    isScript && module.command === undefined
      ? []
      : tokens.filter(({ isDeclaration, binding }) => isDeclaration && binding.isTop);
  return [
    ...[...exports.keys()]
      .filter((name) => !used.has(`${path} ${name}`))
      .map((name) => `${file} exports ${name}, which nothing uses`),
    ...declared
      .filter(({ binding, text }) => text !== "_" && !isUsed(binding))
      .filter(({ text }) => text !== "call")
      .map(({ at, text }) => `${file}:${lineAt(source, at)}: nothing uses ${text}`),
  ];
}
