import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** Copies the build of a checkout, so that a later build does not change what runs. */
export function copyBuild(checkout: string, directory: string): void {
  for (const part of ["dist", "bin", "package.json"])
    cpSync(join(checkout, part), join(directory, part), { recursive: true });
  symlinkSync(join(checkout, "node_modules"), join(directory, "node_modules"));
}

/** Compiles one TypeScript file, without checking types. */
export function compileFile(source: string, target: string): void {
  const { outputText } = ts.transpileModule(readFileSync(source, "utf8"), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  // The compiler leaves dynamic imports alone.
  const linked = outputText.replaceAll(/(\bimport\(["']\.[^"']*)\.ts(["']\))/g, "$1.js$2");
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target.replace(/\.ts$/, ".js"), linked);
}
