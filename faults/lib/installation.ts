import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Application, createOperator, createProducer } from "holdfast";
import { compileFile, copyBuild } from "../../test/support/build-copy.ts";

/** A copy of the shipped build, whole or with one protection removed. */
export interface Installation {
  /** The laboratory's own scripts, compiled into this copy. */
  script(name: "worker" | "api" | "scheduler" | "witness" | "caller"): string;
  readonly cli: string;
  /** For `HOLDFAST_CONFIG`. */
  readonly config: string;
  /** This copy's library, for a producer in this process. */
  library(): Promise<Library>;
}

export interface Library {
  readonly createProducer: typeof createProducer;
  readonly createOperator: typeof createOperator;
  readonly application: Application;
}

/** A text of a file in `dist/` that occurs exactly once, and its replacement. */
export type Edit = readonly [file: string, from: string, to: string];

/** A change to a copy of the build that removes one protection. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const inside = join(root, "faults/lib/inside");

/**
 * Copies the build, so that a later build does not change what is tested.
 *
 * @param directory created
 */
export function install(directory: string, mutation?: Mutation): Installation {
  copyBuild(root, directory);
  for (const edit of mutation?.edits ?? []) applyEdit(join(directory, "dist"), edit);
  for (const name of readdirSync(inside)) compileFile(join(inside, name), join(directory, "lab", name));
  return {
    script: (name) => join(directory, "lab", `${name}.js`),
    cli: join(directory, "bin/holdfast"),
    config: join(directory, "lab/application.js"),
    async library() {
      const { createProducer, createOperator } = await importFile<Omit<Library, "application">>(
        directory,
        "dist/index.js",
      );
      const { default: application } = await importFile<{ default: Application }>(
        directory,
        "lab/application.js",
      );
      return { createProducer, createOperator, application };
    },
  };
}

async function importFile<Module>(directory: string, file: string): Promise<Module> {
  return (await import(pathToFileURL(join(directory, file)).href)) as Module;
}

/** An edit that no longer fits must not pass for a mutation that nobody noticed. */
function applyEdit(dist: string, [name, from, to]: Edit): void {
  const file = join(dist, name);
  const source = readFileSync(file, "utf8");
  if (source.split(from).length !== 2) throw new Error(`${file}: expected exactly once: ${from}`);
  writeFileSync(
    file,
    source.replace(from, () => to),
  );
}
