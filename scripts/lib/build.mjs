// Building dist/: the compiled src/, and the console beside it.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { filesUnder } from "./files.mjs";
import { must } from "./run.mjs";

/** It stands in dist/ like the stamps, so that removing dist/ also removes all memory of having built it. */
const compilersMemory = "dist/.tsbuildinfo";

/** What is built by itself, from its own sources; `stampFile` remembers from which. */
const parts = [
  {
    stampFile: "dist/.build-stamp",
    sources: () => [...sourcesUnder("src"), "tsconfig.json", "tsconfig.build.json", "package-lock.json"],
    make: async () => {
      await compile();
      copyAssets();
    },
  },
  {
    stampFile: "dist/.console-stamp",
    sources: () => [...sourcesUnder("console"), "tsconfig.json", "package-lock.json"],
    make: () =>
      must("node_modules/.bin/vite", ["build", "console"], "Building the console failed: see above."),
  },
];

/** Whether dist/ was built from the sources as they are now. */
export function buildIsFresh() {
  return parts.every(isFresh);
}

/** Builds what has changed since the last build. Where that fails, what was built before stays as it was. */
export async function build() {
  const stale = parts.filter((part) => !isFresh(part));
  const outcomes = await Promise.allSettled(stale.map(make));
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** Builds from nothing, which also rids dist/ of what has no source any more. */
export async function rebuild() {
  rmSync("dist", { recursive: true, force: true });
  await build();
}

async function make({ stampFile, sources, make }) {
  const stamp = stampOf(sources()); // before building: an edit made meanwhile must lead to another build
  await make();
  writeFileSync(stampFile, stamp);
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

function isFresh({ stampFile, sources }) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stampOf(sources());
}

function sourcesUnder(folder) {
  return filesUnder(folder).filter((file) => !/\.(test\.ts|md)$/.test(file));
}

/** Changes whenever one of these files is changed, added or removed. */
function stampOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}
