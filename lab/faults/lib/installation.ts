import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Application, createOperator, createProducer } from "holdfast";
import type { outbox } from "holdfast/postgres";
import { bundle } from "../../../scripts/lib/bundle.mjs";
import { compileFile, copyBuild } from "../../../test/support/build-copy.ts";
import { patiently } from "./inside/patiently.ts";
import { scratchFolder } from "./scratch.ts";

/** A copy of the shipped build, whole or with one protection removed. */
export interface Installation {
  readonly directory: string;
  /** The laboratory's own scripts, compiled into this copy. */
  script(name: "worker" | "api" | "scheduler" | "relay" | "witness" | "caller" | "downstream/server"): string;
  readonly cli: string;
  /** For `HOLDFAST_CONFIG`. */
  readonly config: string;
  /** This copy's library, for a producer in this process. */
  library(): Promise<Library>;
}

/** A slow start of a producer or an operator is no finding: both are opened patiently. */
export interface Library {
  readonly createProducer: typeof createProducer;
  readonly createOperator: typeof createOperator;
  readonly application: Application;
  readonly outbox: typeof outbox;
}

/** A text that occurs exactly once in a module of `build/`, or in a Lua script of `src/`, and its replacement. */
export type Edit = readonly [file: string, from: string, to: string];

/** A change to a copy of the build that removes one protection. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
}

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** This run's copies of the whole build, by whether they have flow control. */
const copies = new Map<boolean, string>();

/**
 * Installs the build. What is whole is copied once for each run, so that a later build does not change what is tested.
 *
 * @param hasFlowControl whether its application shares its queue among tenants, and limits jobs of a key
 */
export function install(mutation?: Mutation, hasFlowControl = false): Installation {
  const whole = copies.get(hasFlowControl) ?? copyWhole(hasFlowControl);
  copies.set(hasFlowControl, whole);
  if (mutation === undefined) return installationIn(whole);
  const directory = scratchFolder("mutated");
  linkAll(whole, directory);
  const changed: Changed = new Map();
  for (const each of mutation.edits) edit(directory, each, changed);
  for (const [file, text] of changed) {
    rmSync(file); // the whole copy keeps its own
    writeFileSync(file, text);
  }
  bundle(directory);
  return installationIn(directory);
}

/** Installs another checkout's build, with the scripts of its own laboratory. */
export function installFrom(checkout: string): Installation {
  return installationIn(copyFrom(checkout));
}

function copyFrom(checkout: string): string {
  const directory = scratchFolder("installation");
  // A checkout from before `lab/` has its laboratory at the top.
  const laboratory =
    ["lab/faults", "faults"].find((folder) => existsSync(join(checkout, folder))) ?? "lab/faults";
  const inside = join(checkout, laboratory, "lib/inside");
  copyBuild(checkout, directory);
  const scripts = readdirSync(inside, { recursive: true, encoding: "utf8" });
  for (const name of scripts.filter((each) => each.endsWith(".ts")))
    compileFile(join(inside, name), join(directory, "lab", name));
  return directory;
}

function copyWhole(hasFlowControl: boolean): string {
  const directory = copyFrom(root);
  cpSync(join(root, "build"), join(directory, "build"), { recursive: true });
  if (hasFlowControl) writeFileSync(join(directory, "lab/flow-control"), "");
  return directory;
}

/** Links each file, which takes a tenth of the time of copying it. */
function linkAll(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else if (entry.isFile()) linkSync(source, target);
    else {
      mkdirSync(target);
      linkAll(source, target);
    }
  }
}

function installationIn(directory: string): Installation {
  return {
    directory,
    script: (name) => join(directory, "lab", `${name}.js`),
    cli: join(directory, "bin/holdfast"),
    config: join(directory, "lab/application.js"),
    async library() {
      const library = await importFile<Omit<Library, "application" | "outbox">>(directory, "dist/index.js");
      const { outbox } = await importFile<Pick<Library, "outbox">>(directory, "dist/postgres.js");
      const { default: application } = await importFile<{ default: Application }>(
        directory,
        "lab/application.js",
      );
      return {
        createProducer: (...given) => patiently(() => library.createProducer(...given)),
        createOperator: (...given) => patiently(() => library.createOperator(...given)),
        application,
        outbox,
      };
    },
  };
}

async function importFile<Module>(directory: string, file: string): Promise<Module> {
  return (await import(pathToFileURL(join(directory, file)).href)) as Module;
}

/** The modules of a build, by their files, that a mutation changes. */
type Changed = Map<string, string>;

/**
 * Makes an edit.
 *
 * @param directory a checkout with its build, or a copy
 * @param changed what earlier edits made of it, and then this one
 * @throws Error when the edit does not fit: it must not pass for a mutation that nobody noticed
 */
export function edit(directory: string, [name, from, to]: Edit, changed: Changed): void {
  const isLua = name.endsWith(".lua");
  const [find, replace] = isLua ? [quoted(from), quoted(to)] : [from, to];
  const places = isLua ? modulesWith(name) : new Map([[name, 1]]);
  if (places.size === 0) throw new Error(`no module has ${name}`);
  for (const [module, times] of places) {
    const file = join(directory, "build", module);
    const parts = (changed.get(file) ?? readFileSync(file, "utf8")).split(find);
    if (parts.length - 1 !== times) throw new Error(`${name}: expected exactly once: ${from}`);
    changed.set(file, parts.join(replace));
  }
}

/** The build writes a script into each module that loads it, or one that includes it: how often, by the whole build. */
function modulesWith(script: string): ReadonlyMap<string, number> {
  const source = readFileSync(join(root, "src", script), "utf8");
  const afterIncludes = source.split(/^ *-- @include .*\n/m).at(-1) ?? "";
  const body = quoted(withoutComments(afterIncludes.replace(/^#!lua.*\n/, "")));
  const counts = readdirSync(join(root, "build"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => [name, readFileSync(join(root, "build", name), "utf8").split(body).length - 1] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}

/** As the build writes a script. */
function withoutComments(lua: string): string {
  return lua.replace(/^--\[\[[\s\S]*?\]\]\n|^ *--.*\n/gm, "");
}

/** As it stands inside of a string literal. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
