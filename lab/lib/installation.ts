import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFile, copyBuild } from "../../test/support/build-copy.ts";

const config = "lab/bench/holdfast.config.ts";
const ours = fileURLToPath(new URL("../..", import.meta.url));

/** The checkout that is being measured. */
let measured = ours;
const directories = new Map<string, string>();

/**
 * A copy of the build, with opponents and benchmark scripts compiled beside it, made at the first call. Later edits do not change
 * what is measured, and no side compiles at its start.
 */
export function installation(): string {
  const known = directories.get(measured);
  if (known !== undefined) return known;
  const directory = install(measured);
  directories.set(measured, directory);
  return directory;
}

/** Measures the build of another checkout. Sides are measured one by one, so one variable is enough. */
export async function withBuildOf<T>(checkout: string, work: () => Promise<T>): Promise<T> {
  measured = checkout;
  try {
    return await work();
  } finally {
    measured = ours;
  }
}

/**
 * Every build runs our scripts, but its own jobs and configuration, whose options another build may refuse. A build that has no
 * `lab/bench` yet runs our configuration.
 */
function install(checkout: string): string {
  if (!existsSync(join(checkout, "dist/index.js")))
    throw new Error(`${checkout} is not built yet: run \`npm run build\` there first`);
  const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  copyBuild(checkout, directory);
  compileAll(checkout, "jobs", directory);
  const hasConfiguration = checkout !== ours && existsSync(join(checkout, config));
  if (hasConfiguration) compileAll(checkout, "lab/bench", directory);
  const folders = ["lab/lib", "lab/bench", "lab/soak", "lab/fuzz", "examples/by-hand"];
  for (const folder of folders) compileAll(ours, folder, directory);
  if (hasConfiguration) compileFile(join(checkout, config), join(directory, config));
  return directory;
}

function compileAll(checkout: string, folder: string, into: string): void {
  for (const name of readdirSync(join(checkout, folder), { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".ts") && !name.endsWith(".test.ts"))
      compileFile(join(checkout, folder, name), join(into, folder, name));
}
