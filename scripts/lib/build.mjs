// Builds dist/: the compiled src/, and the console.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { filesUnder } from "./files.mjs";
import { must } from "./run.mjs";
import { Failure } from "./script.mjs";

/** Kept in dist/, so that removing dist/ also resets incremental builds. */
const buildInfo = "dist/.tsbuildinfo";

/** Independent parts of the build; `stampFile` records the sources of the last build. */
const parts = [
  {
    stampFile: "dist/.build-stamp",
    sources: () => [...sourcesUnder("src"), "tsconfig.json", "tsconfig.build.json", "package-lock.json"],
    make: async () => {
      await compile();
      inlineLua();
    },
  },
  {
    stampFile: "dist/.console-stamp",
    sources: () => [...sourcesUnder("console"), "tsconfig.json", "package-lock.json"],
    make: () =>
      must("node_modules/.bin/vite", ["build", "console"], "Building the console failed: see above."),
  },
];

/** Whether dist/ was built from the current sources. */
export function buildIsFresh() {
  return parts.every(isFresh);
}

/** Builds what has changed. A failed part keeps its last build. */
export async function build() {
  const stale = parts.filter((part) => !isFresh(part));
  const outcomes = await Promise.allSettled(stale.map(make));
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** Builds from scratch, which also removes output without a source. */
export async function rebuild() {
  rmSync("dist", { recursive: true, force: true });
  await build();
}

async function make({ stampFile, sources, make }) {
  const stamp = stampOf(sources()); // before the build: an edit during it must cause another build
  await make();
  writeFileSync(stampFile, stamp);
}

async function compile() {
  // The compiler writes only modules that changed, and these contain the text of Lua files.
  if (
    existsSync(buildInfo) &&
    luaFiles().some((file) => statSync(file).mtimeMs > statSync(buildInfo).mtimeMs)
  )
    rmSync(buildInfo);
  const incremental = ["--incremental", "--tsBuildInfoFile", buildInfo];
  const args = ["-p", "tsconfig.build.json", "--noEmitOnError", ...incremental];
  await must("node_modules/.bin/tsc", args, "The build failed: see above.");
}

function luaFiles() {
  return filesUnder("src").filter((file) => file.endsWith(".lua"));
}

/** Writes Lua scripts into the modules that load them: bundlers need no files beside. See `src/redis/read-lua.ts`. */
function inlineLua() {
  const names = /(?<=\bload(?:Script|Include)\(\s*)import\.meta\.url(,\s*)"([\w-]+\.lua)"/g;
  for (const file of filesUnder("dist").filter((file) => file.endsWith(".js"))) {
    const text = readFileSync(file, "utf8");
    const folder = path.join("src", path.dirname(path.relative("dist", file)));
    const inlined = text.replace(
      names,
      (_call, comma, name) => `""${comma}${JSON.stringify(readFileSync(path.join(folder, name), "utf8"))}`,
    );
    if (/\.lua"/.test(inlined))
      throw new Failure(`${file} names a Lua file otherwise than loadScript(import.meta.url, "NAME.lua")`);
    if (inlined !== text) writeFileSync(file, inlined);
  }
  writeFileSync("dist/redis/read-lua.js", "export const readLua = (_moduleUrl, text) => text;\n");
}

function isFresh({ stampFile, sources }) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stampOf(sources());
}

function sourcesUnder(folder) {
  return filesUnder(folder).filter((file) => !/\.(test\.ts|md)$/.test(file));
}

/** Changes whenever a file is changed, added or removed. */
function stampOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}
