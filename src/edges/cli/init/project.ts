import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readVariable } from "../../../platform/config/settings.ts";
import { usage } from "../exit-code.ts";

/** A `package.json`, as far as it is read here. */
export interface PackageJson {
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** What the project shows, so that `init` need not ask. */
export interface Project {
  readonly folder: string;
  /** Undefined in a folder without one. */
  readonly packageJson: PackageJson | undefined;
  /** It has no code yet: an empty folder, or what `npm init` and `npm install holdfast` leave in one. */
  readonly isNew: boolean;
  readonly packageManager: "npm" | "pnpm" | "yarn" | "bun";
  /** Of the files to write: `.mts` and `.mjs` where Node would take the others for CommonJS. */
  readonly extension: "ts" | "mts" | "js" | "mjs";
  readonly importEnding: ".js" | ".mjs" | "";
  /** Where its code is: `src/`, or here. */
  readonly sources: "src/" | "";
  readonly testRunner: "node" | "vitest";
}

/** @throws HoldfastError `USAGE` if its `package.json` cannot be read */
export function readProject(folder: string): Project {
  const packageJson = readPackageJson(folder);
  const installed = { ...packageJson?.dependencies, ...packageJson?.devDependencies };
  const isNew = packageJson === undefined || hasNoCode(folder, packageJson);
  const isTypeScript = isNew || existsSync(join(folder, "tsconfig.json")) || "typescript" in installed;
  const isModule = (packageJson?.type ?? (isNew ? "module" : "commonjs")) === "module";
  return {
    folder,
    packageJson,
    isNew,
    packageManager: packageManagerOf(folder),
    ...(isTypeScript ? typeScriptFiles(folder, isModule) : javaScriptFiles(isModule)),
    sources: packageJson !== undefined && existsSync(join(folder, "src")) ? "src/" : "",
    testRunner: "vitest" in installed ? "vitest" : "node",
  };
}

/** The test script of `npm init`. */
export const NO_TEST = /no test specified/;

function hasNoCode(
  folder: string,
  { scripts = {}, dependencies = {}, devDependencies = {} }: PackageJson,
): boolean {
  const ours = new Set(["holdfast", "zod"]);
  const isOurs = Object.keys({ ...dependencies, ...devDependencies }).every((name) => ours.has(name));
  const hasScripts = Object.values(scripts).some((script) => !NO_TEST.test(script));
  const hasFiles = readdirSync(folder).some((name) => name === "src" || /\.([cm]?[jt]sx?)$/.test(name));
  return isOurs && !hasScripts && !hasFiles;
}

function readPackageJson(folder: string): PackageJson | undefined {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return undefined;
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Reported below.
  }
  throw usage(`${file}: expected a JSON object`);
}

function javaScriptFiles(isModule: boolean) {
  return isModule
    ? ({ extension: "js", importEnding: ".js" } as const)
    : ({ extension: "mjs", importEnding: ".mjs" } as const);
}

/** Node's own resolution asks for endings, and knows modules by `package.json`; a bundler's does neither. */
function typeScriptFiles(folder: string, isModule: boolean) {
  const resolution =
    compilerOption(folder, "moduleResolution") ?? compilerOption(folder, "module") ?? "nodenext";
  if (!/^node(16|18|20|next)$/i.test(resolution)) return { extension: "ts", importEnding: "" } as const;
  return isModule
    ? ({ extension: "ts", importEnding: ".js" } as const)
    : ({ extension: "mts", importEnding: ".mjs" } as const);
}

/** A compiler option of `tsconfig.json`, or of what it extends. */
function compilerOption(folder: string, name: string): string | undefined {
  for (let file: string | undefined = join(folder, "tsconfig.json"); file !== undefined; ) {
    if (!existsSync(file)) return undefined;
    const text = readFileSync(file, "utf8");
    const [, value] = new RegExp(`^[^/\\n]*"${name}"\\s*:\\s*"([^"]+)"`, "m").exec(text) ?? [];
    if (value !== undefined) return value;
    file = extendedFile(file, text);
  }
  return undefined;
}

function extendedFile(file: string, text: string): string | undefined {
  const [, base] = /^[^/\n]*"extends"\s*:\s*\[?\s*"([^"]+)"/m.exec(text) ?? [];
  if (base === undefined) return undefined;
  const folder = dirname(file);
  const path = base.startsWith(".") ? join(folder, base) : join(folder, "node_modules", base);
  return [path, `${path}.json`, join(path, "tsconfig.json")].find(
    (name) => name.endsWith(".json") && existsSync(name),
  );
}

const lockFiles = {
  "package-lock.json": "npm",
  "pnpm-lock.yaml": "pnpm",
  "yarn.lock": "yarn",
  "bun.lock": "bun",
  "bun.lockb": "bun",
} as const;

/** By the nearest lock file, here or above as in a workspace; else the one that runs this command. */
function packageManagerOf(folder: string): Project["packageManager"] {
  for (let at = folder; ; at = dirname(at)) {
    const found = Object.entries(lockFiles).find(([file]) => existsSync(join(at, file)));
    if (found !== undefined) return found[1];
    if (existsSync(join(at, ".git")) || at === dirname(at)) break;
  }
  const [, running] = /^(pnpm|yarn|bun)\//.exec(readVariable("npm_config_user_agent") ?? "") ?? [];
  return (running as "pnpm" | "yarn" | "bun" | undefined) ?? "npm";
}
