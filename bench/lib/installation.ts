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

const ours = fileURLToPath(new URL("../..", import.meta.url));

/** The checkout whose build is measured now. */
let measured = ours;
const directories = new Map<string, string>();

/**
 * A copy of the build, with the opponents and the laboratory's own scripts compiled beside it, made at the first call:
 * what is built or edited meanwhile does not change what is measured, and no side pays for a compiler at its start.
 */
export function installation(): string {
  const known = directories.get(measured);
  if (known !== undefined) return known;
  const directory = install(measured);
  directories.set(measured, directory);
  return directory;
}

/** Measures the build of another checkout. Sides are measured one after the other, so one variable is enough. */
export async function withBuildOf<T>(checkout: string, work: () => Promise<T>): Promise<T> {
  measured = checkout;
  try {
    return await work();
  } finally {
    measured = ours;
  }
}

export function removeInstallations(): void {
  for (const directory of directories.values())
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** The scripts are ours for every build; its jobs are its own, since contracts may have options that another build refuses. */
function install(checkout: string): string {
  if (!existsSync(join(checkout, "dist/index.js")))
    throw new Error(`${checkout} is not built yet: run \`npm run build\` there first`);
  const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  for (const part of ["dist", "bin", "package.json"])
    cpSync(join(checkout, part), join(directory, part), { recursive: true });
  symlinkSync(join(checkout, "node_modules"), join(directory, "node_modules"));
  for (const folder of ["bench", "soak", "fuzz"]) compileAll(ours, folder, directory);
  compileAll(checkout, "jobs", directory);
  if (checkout !== ours) compile(checkout, "bench/holdfast.config.ts", directory);
  return directory;
}

function compileAll(checkout: string, folder: string, into: string): void {
  for (const name of readdirSync(join(checkout, folder), { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".ts") && !name.endsWith(".test.ts")) compile(checkout, join(folder, name), into);
}

function compile(checkout: string, file: string, into: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(checkout, file), "utf8"), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  const compiled = join(into, file.replace(/\.ts$/, ".js"));
  mkdirSync(dirname(compiled), { recursive: true });
  writeFileSync(compiled, outputText);
}
