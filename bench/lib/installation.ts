import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

let directory: string | undefined;

/**
 * A copy of the build, with the opponents and the laboratory's own scripts compiled beside it, made at the first call:
 * what is built or edited meanwhile does not change what is measured, and no side pays for a compiler at its start.
 */
export function installation(): string {
  if (directory !== undefined) return directory;
  if (!existsSync(join(root, "dist/index.js"))) throw new Error("Not built yet: run `npm run build` first");
  directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  for (const part of ["dist", "bin", "package.json"])
    cpSync(join(root, part), join(directory, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  for (const folder of ["bench", "jobs", "soak", "fuzz"]) compileAll(folder, directory);
  return directory;
}

export function removeInstallation(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function compileAll(folder: string, into: string): void {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  for (const name of names.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))) {
    const { outputText } = ts.transpileModule(readFileSync(join(root, folder, name), "utf8"), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const compiled = join(into, folder, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(compiled), { recursive: true });
    writeFileSync(compiled, outputText);
  }
}
