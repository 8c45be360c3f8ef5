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
import { LuaLinker } from "../../../src/platform/redis/lua/link-lua.ts";
import { luaSources } from "../../../src/platform/redis/lua/lua-sources.ts";
import { compileFile, copyBuild } from "../../../test/support/build-copy.ts";
import { patiently } from "./inside/patiently.ts";
import { scratchFolder } from "./scratch.ts";

export type ScriptName =
  | "worker"
  | "api"
  | "scheduler"
  | "relay"
  | "guarded"
  | "guarded.py"
  | "notified"
  | "witness"
  | "caller"
  | "downstream/server";

/** A copy of the shipped build, whole or with one protection removed. */
export interface Installation {
  readonly directory: string;
  /** The laboratory's own scripts, compiled into this copy. */
  script(name: ScriptName): string;
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

/** A text that occurs exactly once in a module of `build/`, or in a Lua file of `src/`, and its replacement. */
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
  for (const [file, text] of mutate(directory, mutation.edits)) {
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
  for (const name of scripts.filter((each) => each.endsWith(".py")))
    cpSync(join(inside, name), join(directory, "lab", name));
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
    script: (name) => join(directory, "lab", name.endsWith(".py") ? name : `${name}.js`),
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

/**
 * Makes the edits of a mutation.
 *
 * @param directory a checkout with its build, or a copy
 * @returns the modules of the build that differ, by their files
 * @throws Error when an edit does not fit: it must not pass for a mutation that nobody noticed
 */
export function mutate(directory: string, edits: readonly Edit[]): ReadonlyMap<string, string> {
  const modules = new Map<string, string>();
  const lua = new Map<string, string>();
  for (const [name, from, to] of edits) {
    const isLua = name.endsWith(".lua");
    const file = isLua ? join(root, "src", name) : join(directory, "build", name);
    const texts = isLua ? lua : modules;
    const parts = (texts.get(file) ?? readFileSync(file, "utf8")).split(from);
    if (parts.length !== 2) throw new Error(`${name}: expected exactly once: ${from}`);
    texts.set(file, parts.join(to));
  }
  if (lua.size > 0) linkAgain(directory, lua, modules);
  return modules;
}

/** A script as the build writes it into the module that loads it: its file, and its text. */
const SCRIPT = /"src\/([\w/-]+\.lua)"(,\s*)("(?:[^"\\]|\\.)*")/g;

/** Makes the scripts again in which an edited file of Lua is. */
function linkAgain(directory: string, lua: ReadonlyMap<string, string>, modules: Map<string, string>): void {
  const readText = (path: string) => lua.get(path) ?? readFileSync(path, "utf8");
  const linker = new LuaLinker({ ...luaSources(join(root, "src")), readText });
  let count = 0;
  for (const name of readdirSync(join(directory, "build"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".js")) continue;
    const file = join(directory, "build", name);
    const text = modules.get(file) ?? readFileSync(file, "utf8");
    const linked = text.replace(SCRIPT, (_script, path: string, comma: string) => {
      return `"src/${path}"${comma}${JSON.stringify(linker.link(join(root, "src", path)))}`;
    });
    if (linked === text) continue;
    modules.set(file, linked);
    count++;
  }
  if (count === 0) throw new Error(`No script has ${[...lua.keys()].join(", ")}`);
}
