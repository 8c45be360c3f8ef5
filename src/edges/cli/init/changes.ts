import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readOwnPackage } from "../own-package.ts";
import { deployFiles } from "./deploy.ts";
import { NO_TEST, type PackageJson, type Project } from "./project.ts";
import { applicationFiles, pnpmWorkspace, tsconfig } from "./templates.ts";

export interface FileChange {
  readonly path: string;
  /** `kept`: the file exists and is left as it is. */
  readonly action: "created" | "changed" | "kept";
  /** What is new in it, or why it is kept; empty for a whole file. */
  readonly note: string;
  /** The text to write; undefined if it is kept. */
  readonly text?: string;
}

/** Plans all changes. Writes nothing. @param withDeploy whether to write what an image, Compose and systemd need, too */
export function planChanges(project: Project, withDeploy: boolean): FileChange[] {
  const texts = { ...applicationFiles(project), ...(withDeploy && deployFiles(project)) };
  const files = Object.entries(texts).map(([path, text]) => newFile(project, path, text));
  const { isNew } = project;
  return [
    ...files,
    changedPackage(project),
    ignoredFolder(project, isNew ? ["node_modules/", ".env", ".holdfast/"] : [".holdfast/"]),
    ...(isNew ? [newFile(project, "tsconfig.json", tsconfig)] : []),
    ...(project.packageManager === "pnpm" && isTypeScript(project)
      ? [newFile(project, "pnpm-workspace.yaml", pnpmWorkspace)]
      : []),
  ];
}

export function writeChanges(folder: string, changes: readonly FileChange[]): void {
  for (const { path, text } of changes) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function newFile({ folder }: Project, path: string, text: string): FileChange {
  if (!existsSync(join(folder, path))) return { path, action: "created", note: "", text };
  if (path !== ".env.example") return { path, action: "kept", note: "it exists" };
  const lines = text.split("\n").filter((line) => line.startsWith("# ") && line.includes("="));
  return {
    path,
    action: "kept",
    note: `it exists; it could have ${lines.map((line) => line.slice(2)).join(", ")}`,
  };
}

/** Adds what is absent, and changes nothing that is there. */
function changedPackage(project: Project): FileChange {
  const { folder, packageJson: found, isNew } = project;
  const old: PackageJson & Record<string, unknown> = {
    ...(found ?? { name: nameFor(folder), version: "0.0.0", private: true }),
  };
  const known = { ...old.dependencies, ...old.devDependencies };
  const dependencies = without(neededDependencies(project), known);
  const devDependencies = without(neededForDevelopment(project), known);
  const scripts = without(scriptsFor(project), scriptsIn(old));
  const added = Object.entries({ scripts, dependencies, devDependencies }).filter(
    ([, entries]) => Object.keys(entries).length > 0,
  );
  const path = "package.json";
  if (added.length === 0) return { path, action: "kept", note: "it has all that is needed" };
  const merged = Object.fromEntries(
    added.map(([part, entries]) => [part, { ...Object(old[part as keyof PackageJson]), ...entries }]),
  );
  return {
    path,
    action: found === undefined ? "created" : "changed",
    note: added.map(([part, entries]) => `${part} ${Object.keys(entries).join(", ")}`).join("; "),
    text: `${JSON.stringify({ ...old, ...(isNew && { type: old.type ?? "module" }), ...merged }, null, indentation(folder))}\n`,
  };
}

/** Also tsx, which loads TypeScript in production where Node.js is 20. */
function neededDependencies(project: Project): Record<string, string> {
  const { version, dependencies, peerDependencies } = readOwnPackage();
  return {
    holdfast: `^${version}`,
    ...(isTypeScript(project) && { tsx: peerDependencies.tsx ?? "*" }),
    zod: dependencies.zod ?? "^4.0.0",
  };
}

function isTypeScript({ extension }: Project): boolean {
  return extension.endsWith("ts");
}

/** Without the test script of `npm init`, which only fails. */
function scriptsIn({ scripts = {} }: PackageJson): Record<string, string> {
  return Object.fromEntries(Object.entries(scripts).filter(([, script]) => !NO_TEST.test(script)));
}

function neededForDevelopment(project: Project): Record<string, string> {
  const { devDependencies } = readOwnPackage();
  return {
    ...(isTypeScript(project) && { "@types/node": devDependencies["@types/node"] ?? "*" }),
    ...(project.isNew && { typescript: devDependencies.typescript ?? "*" }),
  };
}

/** In a project with its own scripts, ours have a prefix. */
function scriptsFor(project: Project): Record<string, string> {
  const { isNew, extension, sources, testRunner } = project;
  const tests = `${sources}jobs/*/*.test.${extension}`;
  const loader = isTypeScript(project) ? "--import tsx " : "";
  const test = testRunner === "vitest" ? `vitest run ${sources}jobs` : `node ${loader}--test ${tests}`;
  if (isNew) return { dev: "holdfast dev", start: "holdfast up", test, typecheck: "tsc --noEmit" };
  return { "jobs:dev": "holdfast dev", "jobs:up": "holdfast up", "jobs:test": test };
}

function without(
  wanted: Record<string, string>,
  known: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !Object.hasOwn(known, name)));
}

function nameFor(folder: string): string {
  return (
    basename(folder)
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, "-")
      .replaceAll(/^-+|-+$/g, "") || "jobs"
  );
}

/** Indented like the existing file. */
function indentation(folder: string): string {
  const file = join(folder, "package.json");
  const [, found] = /^([ \t]+)"/m.exec(existsSync(file) ? readFileSync(file, "utf8") : "") ?? [];
  return found ?? "  ";
}

function ignoredFolder({ folder }: Project, wanted: readonly string[]): FileChange {
  const path = ".gitignore";
  const file = join(folder, path);
  const old = existsSync(file) ? readFileSync(file, "utf8") : undefined;
  const lines = new Set((old ?? "").split("\n").map((line) => line.trim().replace(/^\/|\/$/g, "")));
  const missing = wanted.filter((line) => !lines.has(line.replace(/\/$/, "")));
  if (missing.length === 0) return { path, action: "kept", note: "it has all that is needed" };
  const start = old === undefined || old === "" || old.endsWith("\n") ? (old ?? "") : `${old}\n`;
  return {
    path,
    action: old === undefined ? "created" : "changed",
    note: missing.join(", "),
    text: `${start}${missing.join("\n")}\n`,
  };
}

/** Says what became of each file, and what to do next. */
export function initReport(
  project: Project,
  changes: readonly FileChange[],
  { isDryRun, withDeploy }: { readonly isDryRun: boolean; readonly withDeploy: boolean },
): string {
  const width = Math.max(...changes.map(({ path }) => path.length));
  const lines = changes.map(
    ({ action, path, note }) =>
      `${action.padEnd(8)} ${note === "" ? path : `${path.padEnd(width)}  ${note}`}`,
  );
  const end = isDryRun ? "Nothing is written: this was a dry run." : nextSteps(project, withDeploy);
  return `${lines.join("\n")}\n\n${end}`;
}

function nextSteps({ isNew, packageManager, sources }: Project, withDeploy: boolean): string {
  const prefix = isNew ? "" : "jobs:";
  const run = packageManager === "npm" ? "npm run" : `${packageManager} run`;
  const steps = [
    [`${packageManager} install`, "installs what package.json names"],
    [`${run} ${prefix}dev`, "API, worker, scheduler and store, loaded anew after each change"],
    [`${run} ${prefix}test`, "the job's test, and a crash sweep"],
    ...(withDeploy
      ? [
          [
            "HOLDFAST_API_KEYS=… docker compose up",
            "all roles and a Redis; one key: npx holdfast keys create",
          ],
        ]
      : []),
  ];
  const width = Math.max(...steps.map(([command = ""]) => command.length));
  const lines = steps.map(([command = "", does = ""]) => `  ${command.padEnd(width)}  # ${does}`);
  return `Next:\n\n${lines.join("\n")}\n\nYour first job is in ${sources}jobs/greeting/.`;
}
