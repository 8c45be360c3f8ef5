import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { type BuiltApplication, useApplication } from "./call.ts";
import { checkout, must, newFolder } from "./folder.ts";
import { packagesIn } from "./installs.ts";
import { type Manager, managerOf, pathOf, type Runtime } from "./programs.ts";

/** An application of `examples/`, and where it runs. */
export interface Combination {
  readonly application: "express" | "fastify" | "hono" | "next" | "nestjs";
  readonly runtime: Runtime;
  readonly manager: Manager;
  /** Next.js's `output: "standalone"`, copied elsewhere as into an image; or Nest's Fastify adapter. */
  readonly as?: "standalone" | "with Fastify";
  /** Other versions than the application's own. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** What came of one. Seconds are absent for a step that failed or was not reached. */
export interface Tried {
  readonly combination: Combination;
  /** The application's own libraries whose versions matter: its framework and its schemas. */
  readonly libraries: string;
  readonly installS?: number;
  readonly buildS?: number;
  readonly jobS?: number;
  readonly packages?: number;
  readonly bytes?: number;
  /** Why it failed; undefined if it did not. */
  readonly fault?: string;
}

/** Nest 12 needs Node.js 22. */
const nest11 = {
  "@nestjs/common": "^11.2.0",
  "@nestjs/core": "^11.2.0",
  "@nestjs/platform-express": "^11.2.0",
};
const zod3 = { zod: "^3.25.76" };
/** What loads the worker's TypeScript where Node.js is 20. */
const tsx = { tsx: "^4.23.15" };

/** Each application, runtime, package manager and kind of schema at least twice. */
export const combinations: readonly Combination[] = [
  { application: "express", runtime: "Node.js 20", manager: "npm" },
  { application: "express", runtime: "Node.js 20.19", manager: "npm", versions: zod3 },
  { application: "express", runtime: "Node.js 22", manager: "Yarn PnP" },
  { application: "express", runtime: "Node.js 24", manager: "pnpm 12", versions: zod3 },
  { application: "express", runtime: "Bun", manager: "Bun" },
  { application: "fastify", runtime: "Node.js 20.19", manager: "pnpm 10" },
  { application: "fastify", runtime: "Node.js 24", manager: "Yarn PnP", versions: zod3 },
  { application: "fastify", runtime: "Bun", manager: "Bun" },
  { application: "hono", runtime: "Node.js 20", manager: "pnpm 12" },
  { application: "hono", runtime: "Node.js 22", manager: "npm" },
  { application: "hono", runtime: "Bun", manager: "Bun" },
  { application: "next", runtime: "Node.js 20", manager: "npm", versions: { ...tsx, next: "^15.5.29" } },
  {
    application: "next",
    runtime: "Node.js 20",
    manager: "npm",
    as: "standalone",
    versions: { ...tsx, next: "^15.5.29" },
  },
  { application: "next", runtime: "Node.js 22", manager: "pnpm 10" },
  { application: "next", runtime: "Node.js 22", manager: "npm", as: "standalone" },
  { application: "next", runtime: "Node.js 24", manager: "npm", versions: zod3 },
  { application: "nestjs", runtime: "Node.js 20", manager: "npm", versions: nest11 },
  { application: "nestjs", runtime: "Node.js 22", manager: "npm", as: "with Fastify", versions: nest11 },
  { application: "nestjs", runtime: "Node.js 24", manager: "npm" },
  { application: "nestjs", runtime: "Node.js 22", manager: "npm", as: "with Fastify" },
];

/** A name for its row. */
export function rowOf({ application, runtime, manager, as, versions = {} }: Combination): string {
  const others = Object.entries(versions).map(([name, range]) => `${name} ${versionOf(range)}`);
  return [application, ...(as === undefined ? [] : [as]), runtime, manager, ...others].join(", ");
}

/** Peers that do not fit; npm itself fails for them. */
const CONFLICT = /ERESOLVE|unmet peer|incorrect peer|YN0060|YN0002.*holdfast/i;

/** Installs, builds and uses an application, with the packed package. */
export async function tryApplication(combination: Combination, tarball: string): Promise<Tried> {
  const { runtime, manager } = combination;
  const folder = newFolder(combination.application);
  let tried: Tried = { combination, libraries: write(combination, folder, tarball) };
  try {
    const env = { ...ofBuilds, PATH: await pathOf(runtime, manager) };
    const installS = await install(folder, manager, env);
    tried = { ...tried, installS, ...packagesIn(folder) };
    const { seconds } = await must(folder, ...script(combination, "build"), { env, ms: BUILD_MS });
    tried = { ...tried, buildS: seconds };
    const redis = await startRedisServer();
    try {
      const isStandalone = combination.as === "standalone";
      const used: BuiltApplication = {
        folder,
        env,
        redisUrl: redis.url,
        start: isStandalone ? ["node", ["server.js"]] : script(combination, "start"),
        worker: script(combination, "worker"),
        ...(isStandalone && { serverFolder: copyStandalone(folder) }),
        withPages: combination.application === "next",
        withLogin: combination.application === "hono",
      };
      tried = { ...tried, jobS: await useApplication(used) };
    } finally {
      await redis.stop();
    }
    return tried;
  } catch (error) {
    return { ...tried, fault: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What Next.js's own example of a Dockerfile copies into an image. @returns where it is */
function copyStandalone(folder: string): string {
  const image = newFolder("standalone");
  cpSync(join(folder, ".next/standalone"), image, { recursive: true, verbatimSymlinks: true });
  cpSync(join(folder, ".next/static"), join(image, ".next/static"), { recursive: true });
  return image;
}

/** Node.js of the registry knows only its own certificates, unless a machine behind a proxy names its own. */
const { HOME, NODE_EXTRA_CA_CERTS } = process.env;
const ofBuilds = { HOME, NEXT_TELEMETRY_DISABLED: "1", ...(NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS }) };
const BUILD_MS = 600_000;

const standaloneConfig = 'export default { output: "standalone" };\n';

/** @returns which libraries it has */
function write({ application, manager, as, versions }: Combination, folder: string, tarball: string): string {
  const own = join(checkout, "examples", application);
  const left = new Set(["node_modules", "dist", ".next"]);
  cpSync(own, folder, { recursive: true, filter: (path) => path === own || !left.has(basename(path)) });
  cpSync(tarball, join(folder, "holdfast.tgz"));
  const project = JSON.parse(readFileSync(join(own, "package.json"), "utf8"));
  const dependencies = { ...project.dependencies, ...versions, holdfast: "file:./holdfast.tgz" };
  if (as === "standalone") writeFileSync(join(folder, "next.config.mjs"), standaloneConfig);
  if (as === "with Fastify") {
    // The adapters' patches are not released together.
    dependencies["@nestjs/platform-fastify"] = `^${versionOf(dependencies["@nestjs/platform-express"])}`;
    delete dependencies["@nestjs/platform-express"];
    cpSync(join(folder, "fastify/main.ts"), join(folder, "src/main.ts"));
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...project, dependencies }, null, 2));
  const { files = {} } = managerOf(manager);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return ["express", "fastify", "hono", "next", "@nestjs/core", "zod", "valibot"]
    .filter((name) => name in dependencies)
    .map((name) => `${name} ${versionOf(dependencies[name])}`)
    .concat(as ?? [])
    .join(", ");
}

/** Of `^3.25.76`: what a reader wants to know of it. */
function versionOf(range: string): string {
  const [major = "", minor = ""] = range.replace(/^\D/, "").split(".");
  return major === "3" ? `${major}.${minor}` : major;
}

/** Once as in a new project, and once from its lock file. @returns the seconds of the first */
async function install(folder: string, manager: Manager, env: NodeJS.ProcessEnv): Promise<number> {
  const { install, frozen } = managerOf(manager);
  const { seconds, output } = await must(folder, ...call(install), { env });
  if (CONFLICT.test(output)) throw new Error(`${install.join(" ")} reports a conflict:\n${output}`);
  rmSync(join(folder, "node_modules"), { recursive: true, force: true });
  await must(folder, ...call(frozen), { env });
  return seconds;
}

/** Bun runs what asks for Node.js by itself only when it is told to. */
function script({ runtime, manager }: Combination, name: string): [string, string[]] {
  const [command, ...args] = managerOf(manager).run;
  return [command, [...(runtime === "Bun" ? ["--bun"] : []), ...args, name]];
}

function call([command, ...args]: readonly [string, ...string[]]): [string, string[]] {
  return [command, args];
}
