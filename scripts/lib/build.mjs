// Compiling src/ to dist/.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { filesUnder } from "./files.mjs";
import { must } from "./run.mjs";

/** Both stand in dist/, so that removing it also removes all memory of having built it. */
const stampFile = "dist/.build-stamp";
const compilersMemory = "dist/.tsbuildinfo";

/** Whether dist/ was built from the sources as they are now. */
export function buildIsFresh() {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stampOfSources();
}

/** Compiles what has changed since the last build. Where that fails, dist/ stays as it was. */
export async function build() {
  const stamp = stampOfSources(); // before compiling: an edit made meanwhile must lead to another build
  await compile();
  copyAssets();
  writeFileSync(stampFile, stamp);
}

/** Builds from nothing, which also rids dist/ of what has no source any more. */
export async function rebuild() {
  rmSync("dist", { recursive: true, force: true });
  await build();
}

async function compile() {
  const incremental = ["--incremental", "--tsBuildInfoFile", compilersMemory];
  const args = ["-p", "tsconfig.build.json", "--noEmitOnError", ...incremental];
  await must("node_modules/.bin/tsc", args, "The build failed: see above.");
}

/** What the compiler leaves behind and the program reads at run time: Lua scripts, pages, style sheets. */
function copyAssets() {
  for (const file of filesUnder("src").filter((file) => !/\.(ts|md)$/.test(file))) {
    cpSync(file, path.join("dist", path.relative("src", file)));
  }
}

/** Changes whenever a file that the build reads is changed, added or removed. */
function stampOfSources() {
  const sources = filesUnder("src").filter((file) => !file.endsWith(".test.ts"));
  const hash = createHash("sha256");
  for (const file of [...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"]) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}
