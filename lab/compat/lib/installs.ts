import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { newFolder, run, writeProject } from "./folder.ts";

/** What came of one install into an empty project. */
export interface Installed {
  readonly folder: string;
  readonly seconds: number;
  /** Lines that a user would read as trouble; none is as it should be. */
  readonly warnings: readonly string[];
  readonly packages: number;
  readonly bytes: number;
}

/** Of trees and boxes, which name packages. */
const DRAWN = /^[├└│╭╰]/;
const TROUBLE = /\bwarn(ing)?\b|\berr(or)?\b|unsupported|deprecated|incompatible|ERESOLVE|unmet/i;

const clients = {
  npm: (what: readonly string[]) =>
    ["npm", ["install", "--engine-strict", "--no-audit", "--no-fund", ...what]] as const,
  yarn: (what: readonly string[]) => {
    // It remembers a tarball by its version.
    const args = ["--yes", "yarn@1.22.22", "add", "--no-progress", "--cache-folder", newFolder("yarn")];
    return ["npx", [...args, ...what.map((one) => (one.startsWith("/") ? `file:${one}` : one))]] as const;
  },
  pnpm10: (what: readonly string[]) => pnpm("10", what),
  pnpm12: (what: readonly string[]) => pnpm("12", what),
};

function pnpm(version: string, what: readonly string[]) {
  const args = ["--yes", `pnpm@${version}`, "add", "--engine-strict", "--reporter=append-only"];
  return ["npx", [...args, ...what]] as const;
}

export type Client = keyof typeof clients;

/** Installs packages into an empty project. */
export async function install(client: Client, what: readonly string[]): Promise<Installed> {
  const folder = newFolder(client);
  writeProject(folder);
  const [command, args] = clients[client](what);
  const { code, output, seconds } = await run(folder, command, args);
  const lines = output.split("\n").filter((line) => TROUBLE.test(line) && !DRAWN.test(line));
  const warnings = code === 0 ? lines : [`ended with ${code ?? "a signal"}`, ...lines];
  return { folder, seconds, warnings, ...packagesIn(folder) };
}

/** What is installed in a project: in `node_modules`, or as Plug'n'Play's archives. */
export function packagesIn(folder: string): Sizes {
  const archives = join(folder, ".yarn/cache");
  if (!existsSync(archives)) return sizeOf(join(folder, "node_modules"));
  const files = readdirSync(archives).filter((name) => name.endsWith(".zip"));
  const bytes = files.reduce((sum, name) => sum + statSync(join(archives, name)).size, 0);
  return { packages: files.length, bytes };
}

interface Sizes {
  readonly packages: number;
  readonly bytes: number;
}

function sizeOf(modules: string): Sizes {
  let packages = 0;
  let bytes = 0;
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    bytes += statSync(path).size;
    if (entry.name === "package.json" && isPackage(entry.parentPath, path)) packages += 1;
  }
  return { packages, bytes };
}

function isPackage(folder: string, file: string): boolean {
  if (!/node_modules\/(@[^/]+\/)?[^/@.][^/]*$/.test(folder)) return false;
  return typeof JSON.parse(readFileSync(file, "utf8")).version === "string";
}
