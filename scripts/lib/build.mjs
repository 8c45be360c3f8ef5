// Compiling src/ to dist/.
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { must } from "./run.mjs";

/** The build happens beside dist/, which a running service may still be loading from, and replaces it at the end. */
const buildDir = "dist.next";
const stampName = ".build-stamp";

/** Whether dist/ was built from the sources as they are now. */
export function buildIsFresh() {
  const stampFile = path.join("dist", stampName);
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stampOfSources();
}

/** Builds dist/ anew. Where that fails, dist/ stays as it was. */
export async function build() {
  const stamp = stampOfSources(); // before compiling: an edit made meanwhile must lead to another build
  rmSync(buildDir, { recursive: true, force: true });
  try {
    await must(
      process.execPath,
      ["node_modules/typescript/bin/tsc", ...["-p", "tsconfig.build.json", "--outDir", buildDir]],
      "The build failed: see above.",
    );
    copyAssets();
    writeFileSync(path.join(buildDir, stampName), stamp);
    rmSync("dist", { recursive: true, force: true });
    renameSync(buildDir, "dist");
  } finally {
    rmSync(buildDir, { recursive: true, force: true });
  }
}

/** What the compiler leaves behind and the program reads at run time: Lua scripts, pages, style sheets. */
function copyAssets() {
  for (const file of listFiles("src").filter((file) => !/\.(ts|md)$/.test(file))) {
    cpSync(file, path.join(buildDir, path.relative("src", file)));
  }
}

/** Changes whenever a file that the build reads is changed, added or removed. */
function stampOfSources() {
  const sources = listFiles("src").filter((file) => !file.endsWith(".test.ts"));
  const hash = createHash("sha256");
  for (const file of [...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"]) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

function listFiles(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
