import { commonFacts, type Table } from "../../test/support/report.ts";
import type { Bundled } from "./bundles.ts";
import type { Installed } from "./installs.ts";
import type { TypeCheck } from "./types.ts";

export interface Results {
  readonly packed: { readonly packed: number; readonly unpacked: number; readonly files: number };
  readonly installs: readonly (readonly [what: string, Installed])[];
  readonly types: readonly TypeCheck[];
  readonly bundles: readonly Bundled[];
}

/** The tables, and the page of the docs around them. */
export function compatibilityPage({ packed, installs, types, bundles }: Results) {
  const tables = {
    installs: installTable(installs),
    types: typeTable(types),
    bundles: bundleTable(bundles),
  } satisfies Record<string, Table>;
  const facts = { head: ["", ""], rows: Object.entries(commonFacts()) };
  const text = (asText: (table: Table) => string) => `# Compatibility: Holdfast in other people's projects

Written by \`npm run compat\`; do not edit by hand. Times include what the machine did besides, and carry over to others only roughly.

${asText(facts)}

## Installed

Into an empty project, from the packed tarball: ${packed.files} files, ${megabytes(packed.packed)} MB packed and ${megabytes(packed.unpacked)} MB unpacked. Every
warning fails, and so does a package that does not accept this Node.js. No package has an install script.

${asText(tables.installs)}

What importing a producer costs, beside BullMQ, is in [PERFORMANCE.md](PERFORMANCE.md#the-comparison).

## Type-checked

An application with contracts, handlers, a schedule and all roles, which imports another copy of Zod than Holdfast does.

${asText(tables.types)}

## Bundled

A producer alone, bundled and run where nothing is beside it, with \`HOST\`, \`PORT\` and \`LOG_LEVEL\` of a host application and the
variables of a Kubernetes service in its environment. [How do I bundle a producer?](produce.md#how-do-i-bundle-a-producer) says what an ES module needs.

${asText(tables.bundles)}
`;
  return { tables, text };
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
