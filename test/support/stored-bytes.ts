import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** Everything that a Redis with an append-only file ever wrote. */
export async function storedBytes(directory: string): Promise<string> {
  const log = path.join(directory, "appendonlydir");
  const files = (await readdir(log)).filter((name) => name.endsWith(".aof"));
  const contents = await Promise.all(files.map((name) => readFile(path.join(log, name), "latin1")));
  return contents.join("");
}
