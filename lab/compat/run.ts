import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runCommand, say } from "../../test/support/command.ts";
import { startRedisServer } from "../../test/support/redis-server.ts";
import { markdownTable, plainTable, type Table } from "../../test/support/report.ts";
import { combinations, rowOf, tryApplication } from "./lib/applications.ts";
import { type Bundled, bundlers, openBundledProject } from "./lib/bundles.ts";
import { checkout, pack } from "./lib/folder.ts";
import { generatedRowOf, generators, tryGenerated } from "./lib/generated.ts";
import { imageRowOf, images, tryImage } from "./lib/images.ts";
import { type Client, type Installed, install } from "./lib/installs.ts";
import { measureNeeds, type Need } from "./lib/needs.ts";
import { bundleWithNext } from "./lib/next.ts";
import {
  applicationTable,
  compatibilityPage,
  generatedTable,
  imageTable,
  needTable,
  type Results,
} from "./lib/page.ts";
import { checkTypes, openTypedProject, resolutions, type TypeCheck } from "./lib/types.ts";

const usage = `npm run compat -- [options]

Packs Holdfast and uses the package as other people do: installs, builds and uses the applications of examples/ with Node.js 20 to 24
and Bun, by npm, pnpm, Yarn Plug'n'Play and Bun; installs it into an empty project where every warning fails; measures what its
processes need; checks types with TypeScript 5.4 to 7 beside another copy of Zod; and runs a producer that esbuild, Vite, webpack and
Next.js bundled; copies the code of our pages into what create-next-app and nest new write; and takes the steps of the image that
holdfast init --deploy writes. Needs the npm registry; takes about forty minutes, and writes docs/compatibility.md if nothing failed.

  --only TEXT   tries only the rows that have this text, e.g. "express", "standalone", "nest new" or "image, Node.js 20"; writes no page
  --needs FILE  measures only what the processes of a packed package need, e.g. of an older build; writes no page
  --help        shows this text

Exit codes: 0 all of it works, 1 something does not, 2 wrong usage.`;

const compilers = ["5.4", "5.9", "6", "7"];
/** The oldest that the peer range allows and that compiles, and the newest. */
const zods = ["4.0.17", "4"];
const installOpponent = () => install("npm", ["bullmq@6.7.0", "zod@^4"]);

await runCommand(
  usage,
  { only: { type: "string" }, needs: { type: "string" } },
  async ({ only, needs: of }) => {
    const faults: string[] = [];
    if (of !== undefined) {
      say(plainTable(needTable(await tryNeeds(await install("npm", [resolve(of), "zod@^4"])))));
      return 0;
    }
    const packed = await pack();
    const tryEach = rowsTrier(packed.tarball, only, faults);
    const applications = await tryEach(combinations, rowOf, tryApplication);
    const generated = await tryEach(generators, generatedRowOf, tryGenerated);
    const production = await tryEach(images, imageRowOf, tryImage);
    if (only !== undefined) {
      const tables = [
        applicationTable(applications),
        generatedTable(generated),
        imageTable(production),
      ].filter(({ rows }) => rows.length > 0);
      say([...tables.map(plainTable), ...faults].join("\n"));
      return faults.length === 0 && tables.length > 0 ? 0 : 1;
    }
    const installs = await tryInstalls(packed.tarball, faults);
    const [[, holdfast]] = installs as [[string, Installed]];
    const needs = await tryNeeds(holdfast);
    const types = await tryTypes(packed.tarball, faults);
    const bundles = await tryBundlers(packed.tarball, faults);
    const results: Results = {
      packed,
      applications,
      generated,
      images: production,
      needs,
      installs,
      types,
      bundles,
    };
    const page = compatibilityPage(results);
    for (const table of Object.values(page.tables)) say(`${plainTable(table)}\n`);
    if (faults.length > 0) say(faults.join("\n"));
    else
      writeFileSync(
        join(checkout, "docs/compatibility.md"),
        page.text((table: Table) => markdownTable(table)),
      );
    return faults.length === 0 ? 0 : 1;
  },
);

/** Rows are tried one after another: they share the machine. */
function rowsTrier(tarball: string, only: string | undefined, faults: string[]) {
  return async <Row, Result extends { readonly fault?: string }>(
    rows: readonly Row[],
    nameOf: (row: Row) => string,
    tryRow: (row: Row, tarball: string) => Promise<Result>,
  ): Promise<Result[]> => {
    const results: Result[] = [];
    for (const row of rows) {
      const name = nameOf(row);
      if (!name.includes(only ?? "")) continue;
      const tried = await tryRow(row, tarball);
      if (tried.fault !== undefined) faults.push(`${name}: ${tried.fault}`);
      console.error(`${name}: ${tried.fault ?? "works"}`);
      results.push(tried);
    }
    return results;
  };
}

async function tryInstalls(tarball: string, faults: string[]): Promise<[string, Installed][]> {
  const clients: Client[] = ["npm", "yarn", "pnpm10", "pnpm12"];
  const results: [string, Installed][] = [];
  for (const client of clients) {
    const installed = await install(client, [tarball, "zod@^4"]);
    faults.push(...installed.warnings.map((warning) => `${client}: ${warning}`));
    results.push([`Holdfast, ${client}`, installed]);
  }
  results.push(["BullMQ and Zod, npm", await installOpponent()]);
  return results;
}

async function tryNeeds(holdfast: Installed): Promise<Need[]> {
  return await measureNeeds(holdfast, await installOpponent());
}

async function tryTypes(tarball: string, faults: string[]): Promise<TypeCheck[]> {
  const checks: TypeCheck[] = [];
  const packages = compilers.map((version) => `typescript-${version}@npm:typescript@${version}`);
  for (const [zod = "", other = ""] of [zods, zods.toReversed()]) {
    const project = await openTypedProject(tarball, zod, other, packages);
    for (const version of compilers)
      for (const resolution of Object.keys(resolutions) as (keyof typeof resolutions)[])
        checks.push(await checkTypes(project, version, `typescript-${version}`, resolution));
  }
  for (const { typescript, resolution, project, faults: found } of checks) {
    const cell = `TypeScript ${typescript}, ${resolution}, Zod ${project.zod}`;
    if (found !== "") faults.push(`${cell}: ${found}`);
  }
  return checks;
}

async function tryBundlers(tarball: string, faults: string[]): Promise<Bundled[]> {
  const redis = await startRedisServer();
  const results: Bundled[] = [];
  const attempt = async (work: () => Promise<Bundled>) => {
    try {
      results.push(await work());
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  };
  for (const { packages, bundles } of Object.values(bundlers)) {
    const folder = await openBundledProject(tarball, packages);
    for (const bundle of bundles) await attempt(() => bundle(folder, redis.url));
  }
  await attempt(() => bundleWithNext(tarball, redis.url));
  await redis.stop();
  return results;
}
