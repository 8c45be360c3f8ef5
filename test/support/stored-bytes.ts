import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** All that a store with an append-only file ever wrote, commands that were undone since included. */
export async function storedBytes(directory: string): Promise<string> {
  const log = path.join(directory, "appendonlydir");
  const files = (await readdir(log)).filter((name) => name.endsWith(".aof"));
  const contents = await Promise.all(files.map((name) => readFile(path.join(log, name), "latin1")));
  return contents.join("");
}
