// Joins the compiled modules of build/ into what dist/ ships: fewer files load faster and take less memory.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildSync } from "esbuild";
import { modulesOfEntries } from "./package-entries.mjs";
import { linkToVendored } from "./vendor.mjs";

/** What is loaded by its path: by `bin/holdfast`, by a crash sweep, and by the laboratory, which hooks into the code it tests. */
const loadedByPath = ["edges/cli/main.js", "testing/swept/worker.js", "core/failpoints.js"];

/**
 * Writes the ES modules of a checkout, or of a copy with its build. Each module is in one file only, whichever entries reach it, so that each
 * class and registry is there once.
 */
export function bundle(root) {
  const { outputFiles } = buildSync({
    absWorkingDir: path.resolve(root),
    entryPoints: [...modulesOfEntries(), ...loadedByPath].map((module) => path.join("build", module)),
    outbase: "build",
    outdir: "dist",
    chunkNames: "chunks/holdfast-[hash]",
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
    write: false,
    logLevel: "error",
  });
  for (const { path: file, text } of outputFiles) {
    mkdirSync(path.dirname(file), { recursive: true });
    rmSync(file, { force: true }); // a copy's files may be links
    writeFileSync(file, linkToVendored(text, file, path.join(root, "dist")));
  }
}
