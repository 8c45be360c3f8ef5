import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readLua } from "../../../src/platform/redis/read-lua.ts";

const source = fileURLToPath(new URL("../../../src", import.meta.url));
const byText = new Map<string, string>();

/** The name of one of Holdfast's scripts, by its text. */
export function scriptName(text: string): string | undefined {
  if (byText.size === 0)
    for (const file of readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".lua"),
    ))
      note(path.join(source, file));
  return byText.get(text);
}

function note(file: string): void {
  try {
    byText.set(readLua(pathToFileURL(file).href, path.basename(file)), path.basename(file, ".lua"));
  } catch {
    // A module, which only scripts have.
  }
}
