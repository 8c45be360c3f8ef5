import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { type BuiltApplication, useApplication } from "./call.ts";
import { checkout, must, newFolder } from "./folder.ts";
import { openNestProject } from "./nest.ts";
import { copyPage } from "./pages.ts";
import { pathOf, type Runtime } from "./programs.ts";

/** What a framework's own generator writes, with the code of our page for it copied in as it stands. */
export interface Generated {
  readonly generator: string;
  readonly page: string;
  readonly runtime: Runtime;
}

export interface TriedGenerated {
  readonly generated: Generated;
  readonly jobS?: number;
  readonly fault?: string;
}

export const generators: readonly Generated[] = [
  { generator: "create-next-app", page: "nextjs.md", runtime: "Node.js 22" },
  { generator: "create-next-app", page: "nextjs.md", runtime: "Node.js 24" },
  { generator: "nest new 11", page: "nestjs-11.md", runtime: "Node.js 20" },
  { generator: "nest new 12", page: "nestjs.md", runtime: "Node.js 22" },
];

export function generatedRowOf({ generator, page, runtime }: Generated): string {
  return `${generator}, ${page}, ${runtime}`;
}

/** Generates a project, copies the page, builds, tests where there are tests, and uses it. */
export async function tryGenerated(generated: Generated, tarball: string): Promise<TriedGenerated> {
  const redis = await startRedisServer();
  const env = { HOME: process.env.HOME, PATH: await pathOf(generated.runtime, "npm"), ...certificates() };
  const open = generated.generator === "create-next-app" ? openNext : openNest;
  try {
    const application = await open(generated, tarball, env, redis.url);
    const jobS = await useApplication(application);
    rmSync(application.folder, { recursive: true, force: true, maxRetries: 5 });
    return { generated, jobS };
  } catch (error) {
    return { generated, fault: error instanceof Error ? error.message : String(error) };
  } finally {
    await redis.stop();
  }
}

function certificates(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS } = process.env;
  return NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS };
}

const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
const BUILD_MS = 600_000;

async function openNext(
  _generated: Generated,
  tarball: string,
  outer: NodeJS.ProcessEnv,
  redisUrl: string,
): Promise<BuiltApplication> {
  const parent = newFolder("create-next-app");
  const env = { ...outer, NEXT_TELEMETRY_DISABLED: "1", CI: "1" };
  const asked = ["--yes", "create-next-app@latest", "shop", "--yes", "--skip-install", "--disable-git"];
  await must(parent, "npx", asked, { env });
  const folder = join(parent, "shop");
  await must(folder, "npm", ["install", ...quiet, tarball, "zod@^4"], { env });
  copyPage("nextjs.md", "next", folder);
  // The generated layout fetches fonts of Google while it is built, which not every machine can.
  cpSync(join(checkout, "examples/next/app/layout.tsx"), join(folder, "app/layout.tsx"));
  await must(folder, "npm", ["run", "build"], { env, ms: BUILD_MS });
  return {
    folder,
    env,
    redisUrl,
    start: ["npm", ["start"]],
    worker: ["npx", ["holdfast", "worker"]],
    withPages: true,
  };
}

async function openNest(
  { generator }: Generated,
  tarball: string,
  env: NodeJS.ProcessEnv,
  redisUrl: string,
): Promise<BuiltApplication> {
  const project = await openNestProject(tarball, generator.replace("nest new ", ""), env);
  const { code, output } = await project.test(redisUrl);
  if (code !== 0) throw new Error(`its tests fail:\n${output}`);
  await project.build();
  return {
    folder: project.folder,
    env: { ...env, WORKER: "elsewhere", HOLDFAST_CONFIG: "dist/holdfast.config.js" },
    redisUrl,
    start: ["node", ["dist/main.js"]],
    worker: ["npx", ["holdfast", "worker"]],
    withPages: false,
  };
}
