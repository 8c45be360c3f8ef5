// Loaded before everything else where the environment names a change of a file: that file is then read with it.
import fs from "node:fs";
import { register, syncBuiltinESMExports } from "node:module";

const change = JSON.parse(process.env.EXPLORE_CHANGE ?? "{}");

if (change.file.endsWith(".ts")) register("./change-hooks.mjs", import.meta.url, { data: change });
else {
  const { readFileSync } = fs;
  fs.readFileSync = (path, ...options) => {
    const source = readFileSync(path, ...options);
    if (!String(path).endsWith(`/${change.file}`)) return source;
    return source.slice(0, change.from) + change.becomes + source.slice(change.to);
  };
  syncBuiltinESMExports();
}
