import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ended, must, newFolder, run } from "./folder.ts";
import { copyPage } from "./pages.ts";

const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
/** What a generated project has to format, lint, deploy and call itself by HTTP: half of its install. */
const unneeded = /eslint|prettier|^globals$|oxlint|coverage|@nestjs\/mau|supertest|ts-node/;

/** Of one test, by Jest and by Vitest: theirs is five seconds, and an application that a busy machine did not close in time keeps Jest from its end. */
const TEST_MS = 60_000;

/** A project of Nest's own generator, with Holdfast and the code of its page added, as it stands there. Of what it generates, the module and `main.ts` are replaced, and some tools are not installed. */
export interface NestProject {
  readonly folder: string;
  /** Runs its tests, the generated one among them. */
  test(redisUrl: string): Promise<Ended>;
  build(): Promise<Ended>;
}

/** @param version the major version of Nest: 11 is CommonJS with Jest, 12 ES modules with Vitest */
export async function openNestProject(
  tarball: string,
  version: string,
  env: NodeJS.ProcessEnv = {},
): Promise<NestProject> {
  const parent = newFolder(`nest-${version}`);
  const generate = [
    "--yes",
    `@nestjs/cli@${version}`,
    "new",
    "shop",
    "--package-manager",
    "npm",
    "--skip-git",
    "--skip-install",
  ];
  await must(parent, "npx", generate, { env });
  const folder = join(parent, "shop");
  const project = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const name of Object.keys(project.devDependencies))
    if (unneeded.test(name)) delete project.devDependencies[name];
  writeFileSync(join(folder, "package.json"), JSON.stringify(project));
  await must(folder, "npm", ["install", ...quiet, tarball, "zod@^4"], { env });
  copyPage(project.type === "module" ? "nestjs.md" : "nestjs-11.md", "nestjs", folder, "fastify/");
  return {
    folder,
    test: (redisUrl) =>
      run(folder, "npm", ["test", "--", `--testTimeout=${TEST_MS}`], {
        env: { ...env, REDIS_URL: redisUrl },
      }),
    build: () => must(folder, "npm", ["run", "build"], { env }),
  };
}
