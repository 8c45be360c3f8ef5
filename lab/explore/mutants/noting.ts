// Loaded before everything else with `--mutants`: the files whose conditions are changed are then read as texts that note them.
import fs from "node:fs";
import { register, syncBuiltinESMExports } from "node:module";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { mutation } from "./mutation.ts";
import { featureOf, readMutants } from "./places.ts";

const all = readMutants();
const modules: Record<string, string> = {};
for (const [file, { text }] of all)
  if (file.endsWith(".ts"))
    modules[pathToFileURL(file).href] = (
      await transform(text, { loader: "ts", format: "esm", target: "node20" })
    ).code;
mutation.all = [...all.values()]
  .flatMap(({ mutants }) => mutants)
  .filter((mutant) => featureOf(mutant) === undefined);
Object.assign(globalThis, { mutation });
register("./hooks.mjs", import.meta.url, { data: modules });

const { readFileSync } = fs;
fs.readFileSync = ((path: string, ...options: []) =>
  (String(path).endsWith(".lua") ? all.get(String(path))?.text : undefined) ??
  readFileSync(path, ...options)) as typeof readFileSync;
syncBuiltinESMExports();
