import { commonFacts, type Table } from "../../../test/support/report.ts";
import type { Tried } from "./applications.ts";
import type { Bundled } from "./bundles.ts";
import type { TriedGenerated } from "./generated.ts";
import type { TriedImage } from "./images.ts";
import type { Installed } from "./installs.ts";
import type { Need } from "./needs.ts";
import type { TypeCheck } from "./types.ts";

export interface Results {
  readonly packed: { readonly packed: number; readonly unpacked: number; readonly files: number };
  readonly applications: readonly Tried[];
  readonly generated: readonly TriedGenerated[];
  readonly images: readonly TriedImage[];
  readonly needs: readonly Need[];
  readonly installs: readonly (readonly [what: string, Installed])[];
  readonly types: readonly TypeCheck[];
  readonly bundles: readonly Bundled[];
}

/** The tables, and the page of the docs around them. */
export function compatibilityPage({
  packed,
  applications,
  generated,
  images,
  needs,
  installs,
  types,
  bundles,
}: Results) {
  const tables = {
    applications: applicationTable(applications),
    generated: generatedTable(generated),
    images: imageTable(images),
    needs: needTable(needs),
    installs: installTable(installs),
    types: typeTable(types),
    bundles: bundleTable(bundles),
  } satisfies Record<string, Table>;
  const facts = { head: ["", ""], rows: Object.entries(commonFacts()) };
  const text = (asText: (table: Table) => string) => `# Compatibility: Holdfast in other people's projects

Written by \`npm run compat\`; do not edit by hand. Times include what the machine did besides, and carry over to others only roughly.

${asText(facts)}

## In applications

The applications of [examples/](../examples/README.md), each in a folder of its own: installed from the packed tarball, and once more from the lock file that this wrote;
built; started. Then one submits a job, the same one again, a bad one, and another with a key that was used; reads its status through the mounted API, by a key and by a
session; opens the console below its prefix; starts a worker; follows the job to its end in a stream of events; and stops the server within five seconds while a page is open. Next.js's page does that
in a browser, too: by a server action, with the status in a client component. The seconds of *a job done* are from the start of the worker's process on.

${asText(tables.applications)}

## Copied from the pages

What a framework's generator writes, with all code of our page copied in as it stands: built, tested where it has tests, and used as above.

${asText(tables.generated)}

## Production images

What \`holdfast init --deploy\` writes into an empty folder: the steps of its image, run in plain folders without a container, install production dependencies alone; then its API, worker and scheduler run from there, and a job completes.

${asText(tables.images)}

## What it needs

From the packed tarball, in production mode. Memory is resident memory, most of it Node.js's own: of a role 10 s after it is ready, and of a process that imports a producer and
nothing else (medians of seven). *Before* is the build 5c2b26f, which had all its dependencies installed beside it, measured by the same command.

${asText(tables.needs)}

## Installed

Into an empty project, from the packed tarball: ${packed.files} files, ${megabytes(packed.packed)} MB packed and ${megabytes(packed.unpacked)} MB unpacked. Every
warning fails, and so does a package that does not accept this Node.js. No package has an install script.

${asText(tables.installs)}

## Type-checked

An application with contracts, handlers, a schedule and all roles, which imports another copy of Zod than Holdfast does. All declarations are checked, too: \`skipLibCheck\` is off.

${asText(tables.types)}

## Bundled

A producer alone, bundled and run where nothing is beside it, with \`HOST\`, \`PORT\` and \`LOG_LEVEL\` of a host application and the
variables of a Kubernetes service in its environment. [How do I bundle a producer?](produce.md#how-do-i-bundle-a-producer) says what an ES module needs.

${asText(tables.bundles)}
`;
  return { tables, text };
}

export function applicationTable(applications: readonly Tried[]): Table {
  return {
    head: [
      "application",
      "runtime",
      "package manager",
      "installed, s",
      "built, s",
      "a job done, s",
      "packages",
      "MB",
    ],
    rows: applications.map(({ combination: { runtime, manager }, libraries, packages, bytes, ...steps }) => [
      libraries,
      runtime,
      manager,
      ...[steps.installS, steps.buildS, steps.jobS].map((seconds) => seconds?.toFixed(1) ?? "✗"),
      packages ?? "",
      bytes === undefined ? "" : megabytes(bytes),
    ]),
  };
}

export function generatedTable(generated: readonly TriedGenerated[]): Table {
  return {
    head: ["generator", "page", "runtime", "a job done, s"],
    rows: generated.map(({ generated: { generator, page, runtime }, jobS }) => [
      generator,
      `[${page}](${page})`,
      runtime,
      jobS?.toFixed(1) ?? "✗",
    ]),
  };
}

export function imageTable(images: readonly TriedImage[]): Table {
  return {
    head: ["runtime", "package manager", "image's steps, s", "a job done, s"],
    rows: images.map(({ combination: { runtime, manager }, buildS, jobS }) => [
      runtime,
      manager,
      buildS?.toFixed(1) ?? "✗",
      jobS?.toFixed(1) ?? "✗",
    ]),
  };
}

export function needTable(needs: readonly Need[]): Table {
  const withUnit = (value: number, unit: string) =>
    `${unit === "×" ? value.toFixed(2) : Math.round(value)} ${unit}`;
  return {
    head: ["", "before", "measured", "meant", ""],
    rows: needs.map(({ what, value, unit, most, before }) => [
      what,
      withUnit(before, unit).trim(),
      withUnit(value, unit).trim(),
      `≤ ${most} ${unit}`.trim(),
      value <= most ? "✓" : "✗",
    ]),
  };
}

function installTable(installs: Results["installs"]): Table {
  return {
    head: ["install", "packages", "MB", "seconds", "warnings"],
    rows: installs.map(([what, { packages, bytes, seconds, warnings }]) => [
      what,
      packages,
      megabytes(bytes),
      seconds.toFixed(1),
      warnings.length,
    ]),
  };
}

function typeTable(types: readonly TypeCheck[]): Table {
  return {
    head: ["TypeScript", "moduleResolution", "Zod", "Holdfast's Zod", "seconds", ""],
    rows: types.map(({ typescript, resolution, project, seconds, faults }) => [
      typescript,
      resolution,
      project.zod,
      project.holdfastZod,
      seconds.toFixed(1),
      faults === "" ? "✓" : "✗",
    ]),
  };
}

function bundleTable(bundles: readonly Bundled[]): Table {
  return {
    head: ["bundler", "seconds", "MB", "ran"],
    rows: bundles.map(({ bundler, seconds, bytes }) => [bundler, seconds.toFixed(1), megabytes(bytes), "✓"]),
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
