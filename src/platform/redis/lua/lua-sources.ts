import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LuaSources } from "./link-lua.ts";

/**
 * The sources below a folder. A feature's Lua is in the file `feature.lua` beside its value: what it returns, it registers for the points of these
 * names, in the order of the one list of features, whose text says it.
 *
 * @param root `src`
 * @throws Error where there is no list
 */
export function luaSources(root: string): LuaSources {
  const list = join(root, "features/index.ts");
  const text = readFileSync(list, "utf8");
  const files = new Map<string, string>();
  for (const [, names = "", file = ""] of text.matchAll(/^import \{ ([^}]+) \} from "(\.[^"]+)";$/gm))
    for (const name of names.split(", ")) files.set(name, file);
  const [, listed] = /const list = \[([^\]]*)\] as const/.exec(text) ?? [];
  if (listed === undefined) throw new Error(`${list} has no list of features`);
  const features = [...listed.matchAll(/import\("(\.[^"]+)"\)|^ {2}(\w+),$/gm)]
    .map(([, file, name = ""]) => join(dirname(list), dirname(file ?? files.get(name) ?? "."), "feature.lua"))
    .filter((file) => existsSync(file));
  return { root, features };
}
