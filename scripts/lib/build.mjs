// Builds dist/: src/, compiled into the modules of build/ and joined, and the console.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { buildCommonJs } from "./common-js.mjs";
import { filesUnder } from "./files.mjs";
import { reachedFrom, typesOfEntries } from "./package-entries.mjs";
import { must } from "./run.mjs";
import { Failure } from "./script.mjs";
import { buildVendored } from "./vendor.mjs";

/** The native compiler: six times as fast. `typescript` itself stays at 6 for TypeDoc and others, which use its API. */
export const compiler = "node_modules/typescript7/bin/tsc";

/** Kept in build/, so that removing build/ also resets incremental builds. */
const buildInfo = "build/.tsbuildinfo";

/** In this order: the second has the pages of the first in it. `stampFile` records the sources of the last build. */
const parts = [
  {
    stampFile: "dist/.console-stamp",
    sources: () => consoleSources(),
    make: () =>
      must("node_modules/.bin/vite", ["build", "console"], "Building the console failed: see above."),
  },
  {
    stampFile: "dist/.build-stamp",
    sources: () => [...sourcesUnder("src"), ...consoleSources(), "tsconfig.build.json"],
    make: async () => {
      await compile();
      await inlineLua();
      removeLastBuild();
      copyAssets();
      copyTypes();
      copyReference();
      await inlinePages();
      await buildVendored();
      await buildCommonJs();
      const { bundle } = await import("./bundle.mjs"); // needs packages
      bundle(".");
    },
  },
];

/** Whether dist/ was built from the current sources. */
export function buildIsFresh() {
  return parts.every(isFresh);
}

/** Builds what has changed. A failed part, and what follows it, keep their last build. */
export async function build() {
  for (const part of parts) if (!isFresh(part)) await make(part);
}

/** Builds from scratch, which also removes output without a source. */
export async function rebuild() {
  for (const folder of ["build", "dist"]) rmSync(folder, { recursive: true, force: true });
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
  await must(process.execPath, [compiler, ...args], "The build failed: see above.");
}

function luaFiles() {
  return filesUnder("src").filter((file) => file.endsWith(".lua"));
}

/** Writes Lua scripts into the modules that load them, each behind its file's name: bundlers need no files beside. See `src/platform/redis/read-lua.ts`. */
async function inlineLua() {
  const linker = await startLinker();
  const names =
    /(?<=\b(?:load(?:Script|DeclaringScript)|readLua)\(\s*)import\.meta\.url(,\s*)"([\w-]+\.lua)"/g;
  for (const file of filesUnder("build").filter((file) => file.endsWith(".js"))) {
    const text = readFileSync(file, "utf8");
    const folder = path.join("src", path.dirname(path.relative("build", file)));
    const inlined = text.replace(
      names,
      (_call, comma, name) =>
        `${JSON.stringify(path.join(folder, name))}${comma}${JSON.stringify(linker.link(path.resolve(folder, name)))}`,
    );
    if (/import\.meta\.url,\s*"[\w-]+\.lua"/.test(inlined))
      throw new Failure(`${file} names a Lua file otherwise than loadScript(import.meta.url, "NAME.lua")`);
    if (inlined !== text) writeFileSync(file, inlined);
  }
  writeFileSync("build/platform/redis/read-lua.js", "export const readLua = (_moduleUrl, text) => text;\n");
}

/** Makes scripts of Lua files, with what was just compiled. */
async function startLinker() {
  const load = (name) => import(pathToFileURL(path.resolve("build/platform/redis/lua", name)).href);
  const [{ LuaLinker }, { luaSources }] = await Promise.all([load("link-lua.js"), load("lua-sources.js")]);
  return new LuaLinker(luaSources(path.resolve("src")));
}

/** All but the console, which is built for itself. */
function removeLastBuild() {
  if (!existsSync("dist")) return;
  const ours = readdirSync("dist").filter((entry) => !/^(console|\.console-stamp)$/.test(entry));
  for (const entry of ours) rmSync(path.join("dist", entry), { recursive: true });
}

/** Files that the compiler ignores and the program reads at run time: pages, style sheets. */
function copyAssets() {
  for (const file of filesUnder("src").filter((file) => !/\.(ts|md|lua)$/.test(file))) {
    cpSync(file, path.join("dist", path.relative("src", file)));
  }
}

/** The types that an entry of the package reaches, for both builds. */
function copyTypes() {
  for (const types of reachedFrom(typesOfEntries()))
    for (const folder of ["dist", "dist/cjs"]) cpSync(path.join("build", types), path.join(folder, types));
}

/** Version 1.44 of the reference page's program is the last one that installs on Node.js 20. */
function copyReference() {
  const scalar = "node_modules/@scalar/fastify-api-reference";
  cpSync(`${scalar}/dist/js/standalone.js`, "dist/edges/http/reference/scalar.js");
  cpSync(`${scalar}/LICENSE`, "dist/edges/http/reference/licenses.md");
}

const BROTLI_QUALITY = 9;

/** Writes the pages' files into the modules that serve them: bundlers, and what copies modules alone, need no files beside. */
async function inlinePages() {
  const folder = "build/edges/http/pages";
  const { readPageFiles } = await import(pathToFileURL(`${folder}/read-page-files.js`).href);
  const pages = { console: "dist/console", reference: "dist/edges/http/reference" };
  for (const [name, from] of Object.entries(pages)) {
    const files = JSON.stringify(readPageFiles(from, BROTLI_QUALITY));
    writeFileSync(`${folder}/${name}-files.js`, `export const ${name}Files = ${files};\n`);
  }
}

function isFresh({ stampFile, sources }) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stampOf(sources());
}

function consoleSources() {
  return [...sourcesUnder("console"), "tsconfig.json", "package-lock.json"];
}

export function sourcesUnder(folder) {
  return filesUnder(folder).filter((file) => !/\.(test\.ts|md)$/.test(file));
}

/** Changes whenever a file is changed, added or removed. */
export function stampOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}
