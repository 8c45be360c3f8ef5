import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { checkout, must } from "./folder.ts";

const { platform, arch } = process;

/** What runs an application: the npm registry has each as a package for each kind of machine. */
const runtimes = {
  "Node.js 20.19": nodeOf("20.19"),
  "Node.js 20": nodeOf("20"),
  "Node.js 22": nodeOf("22"),
  "Node.js 24": nodeOf("24"),
  /** What runs us. */
  "this Node.js": undefined,
  Bun: `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}@1/bin`,
};

export type Runtime = keyof typeof runtimes;

export interface PackageManager {
  /** The package that it comes in; npm is the machine's. */
  readonly program?: string;
  readonly install: readonly [string, ...string[]];
  /** Installs what the lock file says, and fails where that does not fit. */
  readonly frozen: readonly [string, ...string[]];
  /** What runs a script of the project. */
  readonly run: readonly [string, ...string[]];
  /** Files that a project has for it. */
  readonly files?: Readonly<Record<string, string>>;
}

const pnpm = {
  install: ["pnpm", "install", "--no-frozen-lockfile", "--reporter=append-only"],
  frozen: ["pnpm", "install", "--frozen-lockfile", "--reporter=append-only"],
  run: ["pnpm", "run"],
} as const;

const managers = {
  npm: {
    install: ["npm", "install", "--engine-strict", "--strict-peer-deps", "--no-audit", "--no-fund"],
    frozen: ["npm", "ci", "--engine-strict", "--strict-peer-deps", "--no-audit", "--no-fund"],
    run: ["npm", "run"],
  },
  "pnpm 10": { program: "pnpm@10/../.bin", ...pnpm },
  "pnpm 12": { program: "pnpm@12/../.bin", ...pnpm },
  "Yarn PnP": {
    program: "@yarnpkg/cli-dist@4/../../.bin",
    install: ["yarn", "install", "--no-immutable"],
    frozen: ["yarn", "install", "--immutable"],
    run: ["yarn", "run"],
    files: {
      ".yarnrc.yml": "nodeLinker: pnp\nenableGlobalCache: false\nenableTelemetry: false\n",
      "yarn.lock": "",
    },
  },
  Yarn: {
    program: "@yarnpkg/cli-dist@4/../../.bin",
    install: ["yarn", "install", "--no-immutable"],
    frozen: ["yarn", "install", "--immutable"],
    run: ["yarn", "run"],
    files: {
      ".yarnrc.yml": "nodeLinker: node-modules\nenableGlobalCache: false\nenableTelemetry: false\n",
      "yarn.lock": "",
    },
  },
  Bun: {
    program: runtimes.Bun,
    install: ["bun", "install"],
    frozen: ["bun", "install", "--frozen-lockfile"],
    run: ["bun", "run"],
  },
} satisfies Record<string, PackageManager>;

export type Manager = keyof typeof managers;

export function managerOf(name: Manager): PackageManager {
  return managers[name];
}

/** The PATH of a machine that has this runtime and this package manager. */
export async function pathOf(runtime: Runtime, manager: Manager): Promise<string> {
  const { program } = managerOf(manager);
  const wanted = runtimes[runtime];
  const folders = [wanted === undefined ? dirname(process.execPath) : await programFolder(wanted)];
  if (program !== undefined) folders.push(await programFolder(program));
  return [...folders, process.env.PATH].join(delimiter);
}

function nodeOf(version: string): string {
  return `node-${platform}-${arch}@${version}/bin`;
}

/** Installs a package once, for good. @param program its name, version, and the folder of its executables: `pnpm@10/bin` */
async function programFolder(program: string): Promise<string> {
  const [, name = "", version = "", bin = ""] = /^(@?[^@]+)@([^/]+)\/(.*)$/.exec(program) ?? [];
  const project = join(
    checkout,
    "node_modules/.cache/holdfast/programs",
    `${name.replace("/", "+")}@${version}`,
  );
  const folder = join(project, "node_modules", name, bin);
  if (existsSync(folder)) return folder;
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  await must(project, "npm", [
    "install",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    `${name}@${version}`,
  ]);
  if (!existsSync(folder)) throw new Error(`${name}@${version} has no folder ${dirname(folder)}`);
  return folder;
}
