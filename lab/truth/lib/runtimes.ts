import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../../test/support/command.ts";

/** What runs a worker with its libraries. */
export interface Runtime {
  readonly name: string;
  readonly command: string;
  /** Before the file that it runs. */
  readonly args: readonly string[];
}

const tsx = ["--import", "tsx"];

/** The one that runs this. */
export const thisNode: Runtime = {
  name: `node${process.versions.node.split(".")[0]}`,
  command: process.execPath,
  args: tsx,
};

/** From npm packages that carry a program: they are for Linux on x64, and missing elsewhere. */
const runtimes: readonly Runtime[] = [
  { name: "node20", command: inPackages("node20/bin/node"), args: tsx },
  { name: "node22", command: inPackages("node22/bin/node"), args: tsx },
  { name: "node24", command: inPackages("node24/bin/node"), args: tsx },
  { name: "bun", command: inPackages("@oven/bun-linux-x64/bin/bun"), args: ["run"] },
  {
    name: "deno",
    command: inPackages("@deno/linux-x64-glibc/deno"),
    args: ["run", "--allow-all", "--no-check", "--quiet"],
  },
];

export interface ChosenRuntimes {
  readonly found: readonly Runtime[];
  /** Names of those that are not installed here. */
  readonly missing: readonly string[];
}

/** @param names of those to run in; all without */
export function chooseRuntimes(names: readonly string[] | undefined): ChosenRuntimes {
  const unknown = names?.find((name) => !runtimes.some((runtime) => runtime.name === name));
  if (unknown !== undefined)
    throw new UsageError(
      `--runtime: expected ${runtimes.map(({ name }) => name).join(", ")}, got "${unknown}"`,
    );
  const chosen = runtimes.filter(({ name }) => names?.includes(name) ?? true);
  const isHere = ({ command }: Runtime) => existsSync(command);
  return {
    found: chosen.filter(isHere),
    missing: chosen.filter((runtime) => !isHere(runtime)).map(({ name }) => name),
  };
}

function inPackages(file: string): string {
  return fileURLToPath(new URL(`../node_modules/${file}`, import.meta.url));
}
