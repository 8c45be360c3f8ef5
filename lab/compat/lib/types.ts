import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout, must, newFolder, run, writeProject } from "./folder.ts";

/** A project whose Zod is another copy than Holdfast's. */
export interface TypedProject {
  readonly folder: string;
  /** The version that the project imports. */
  readonly zod: string;
  /** The version that Holdfast resolves. */
  readonly holdfastZod: string;
}

/** One cell of the matrix. */
export interface TypeCheck {
  readonly typescript: string;
  readonly resolution: string;
  readonly project: TypedProject;
  readonly seconds: number;
  /** Empty if there is none. */
  readonly faults: string;
}

export const resolutions = { nodenext: "nodenext", bundler: "esnext" } as const;

const TOO_LONG_MS = 180_000;

/** @param compilers packages to install beside, such as `typescript-5.4@npm:typescript@5.4.5` */
export async function openTypedProject(
  tarball: string,
  zod: string,
  holdfastZod: string,
  compilers: readonly string[] = [],
): Promise<TypedProject> {
  const folder = newFolder("types");
  writeProject(folder);
  const packages = [`zod@${zod}`, `holdfast-zod@npm:zod@${holdfastZod}`, "@types/node@20", ...compilers];
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  await must(folder, "npm", ["install", ...quiet, tarball, ...packages]);
  const own = join(folder, "node_modules/holdfast/node_modules/zod");
  mkdirSync(join(own, ".."), { recursive: true });
  rmSync(own, { recursive: true, force: true });
  renameSync(join(folder, "node_modules/holdfast-zod"), own);
  cpSync(join(checkout, "lab/compat/application"), join(folder, "src"), { recursive: true });
  const version = (path: string) =>
    JSON.parse(readFileSync(join(path, "package.json"), "utf8")).version as string;
  return { folder, zod: version(join(folder, "node_modules/zod")), holdfastZod: version(own) };
}

/** Checks the application's types as `tsc --init` sets a project up. @param compiler a package's name in that project, or a path */
export async function checkTypes(
  project: TypedProject,
  typescript: string,
  compiler: string,
  resolution: keyof typeof resolutions,
): Promise<TypeCheck> {
  const config = `tsconfig.${resolution}.json`;
  const compilerOptions = {
    target: "es2022",
    module: resolutions[resolution],
    moduleResolution: resolution,
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    // The declarations of the package, too.
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(project.folder, config), JSON.stringify({ compilerOptions, include: ["src"] }));
  const own = join(project.folder, "node_modules", compiler);
  const program = join(existsSync(own) ? own : compiler, "bin/tsc");
  const { code, output, seconds } = await run(project.folder, process.execPath, [program, "-p", config], {
    ms: TOO_LONG_MS,
  });
  const faults = code === 0 ? "" : output || "took too long";
  return { typescript, resolution, project, seconds, faults };
}
