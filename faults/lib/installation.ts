import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Application, createOperator, createProducer } from "holdfast";
import ts from "typescript";

/** A copy of the shipped build, whole or with one protection removed. */
export interface Installation {
  /** The script of a process of the laboratory's, inside this copy. */
  script(name: "worker" | "api" | "scheduler" | "witness" | "caller"): string;
  readonly cli: string;
  /** What `HOLDFAST_CONFIG` is set to. */
  readonly config: string;
  /** This copy's own library, for a producer in the laboratory's own process. */
  library(): Promise<Library>;
}

export interface Library {
  readonly createProducer: typeof createProducer;
  readonly createOperator: typeof createOperator;
  readonly application: Application;
}

/** One protection taken out of a copy of the build: which text of which file is replaced by what. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const inside = join(root, "faults/lib/inside");

/**
 * Copies the build, so that nothing else that is built meanwhile changes what is tested.
 *
 * @param directory where to; made anew
 */
export function install(directory: string, cut?: Mutation): Installation {
  mkdirSync(join(directory, "lab"), { recursive: true });
  for (const name of ["dist", "bin", "package.json"])
    cpSync(join(root, name), join(directory, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  for (const edit of cut?.edits ?? []) applyEdit(join(directory, "dist", edit.file), edit);
  for (const name of readdirSync(inside)) compile(name, join(directory, "lab"));
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

/** A cut that does not fit the code any more must not pass for one that nobody noticed. */
function applyEdit(file: string, { from, to }: Mutation["edits"][number]): void {
  const source = readFileSync(file, "utf8");
  if (source.split(from).length !== 2) throw new Error(`${file}: expected exactly once: ${from}`);
  writeFileSync(
    file,
    source.replace(from, () => to),
  );
}

function compile(name: string, directory: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(inside, name), "utf8"), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  const linked = outputText.replaceAll(/(["']\.\/[\w-]+)\.ts(["'])/g, "$1.js$2");
  writeFileSync(join(directory, name.replace(/\.ts$/, ".js")), linked);
}
