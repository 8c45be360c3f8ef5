import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Application } from "../../core/job/application.ts";
import { variables } from "../../platform/config/variables.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { needsTypeScript } from "./needs-typescript.ts";
import { resolveTypeScript } from "./resolve-typescript.ts";
import { printNote } from "./screen/output.ts";

/**
 * Loads `holdfast.config.ts`, TypeScript or JavaScript, with everything it imports. JavaScript alone is loaded without tsx, which takes a
 * quarter of a second of a processor; TypeScript, too, where tsx is not installed and Node.js strips types by itself.
 *
 * @param file a path, relative to the working directory; `findConfig` says where the default may be instead
 * @param onImport is called with the URL of each module that is loaded
 * @throws HoldfastError `APPLICATION_INVALID` if the file is missing, throws, or exports no application
 */
export async function loadApplication(file: string, onImport?: (url: string) => void): Promise<Application> {
  const path = findConfig(file);
  if (!existsSync(path))
    throw new HoldfastError("APPLICATION_INVALID", `HOLDFAST_CONFIG: there is no file ${path}`);
  const seen = new Set<string>();
  const isTypeScript = needsTypeScript(path, seen);
  if (isTypeScript || onImport !== undefined) await prepare(path, isTypeScript, seen, onImport);
  const exported = await importDefault(path);
  if (!isApplication(exported)) {
    throw new HoldfastError("APPLICATION_INVALID", `${path}: expected "export default defineConfig({ … })"`);
  }
  return exported;
}

/** What commands show that find no application: what a guard needs is in Redis. */
const withoutJobs: Application = {
  jobs: new Map(),
  queues: [],
  queueSettings: new Map(),
  schedules: [],
  handlers: async () => [],
};

/**
 * Loads the application, if there is one: guarded effects and their doubts need none. Says so where there is none: other doubts are not
 * shown then.
 *
 * @throws HoldfastError `APPLICATION_INVALID` for a file that is named and missing, throws, or exports no application
 */
export async function loadApplicationIfAny(file: string): Promise<Application> {
  if (file !== variables.HOLDFAST_CONFIG.fallback || existsSync(findConfig(file)))
    return await loadApplication(file);
  printNote(`there is no ${file} here: only effects of guards are shown, not those of jobs`);
  return withoutJobs;
}

/**
 * Finds the application. The default, `holdfast.config.ts`, may also be JavaScript, or in `src/`.
 *
 * @returns an absolute path; that of the default if there is none
 */
export function findConfig(file: string): string {
  const path = resolve(file);
  if (file !== variables.HOLDFAST_CONFIG.fallback || existsSync(path)) return path;
  const names = [".", "src"].flatMap((folder) =>
    ["ts", "mts", "js", "mjs"].map((extension) => resolve(folder, `holdfast.config.${extension}`)),
  );
  return names.find((name) => existsSync(name)) ?? path;
}

/** Once in a process: registering it again would pass every module through it twice. False if it is not installed. */
let registered: Promise<boolean> | undefined;

/** For CommonJS, too: `.ts` files are CommonJS unless a `package.json` says `"type": "module"`. */
async function registerTypeScript(onImport?: (url: string) => void): Promise<boolean> {
  const loaded = Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
  const tsx = await loaded.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "MODULE_NOT_FOUND") throw error;
  });
  if (tsx === undefined) return false;
  const [esm, commonJs] = tsx;
  commonJs.register();
  esm.register(onImport && { onImport });
  return true;
}

/** @param seen what can be reported without tsx */
async function prepare(
  path: string,
  isTypeScript: boolean,
  seen: ReadonlySet<string>,
  onImport?: (url: string) => void,
): Promise<void> {
  registered ??= registerTypeScript(onImport);
  if (await registered) return;
  if (stripsTypes()) return resolveTypeScript(onImport);
  if (isTypeScript) throw withoutTypeScript(path);
  for (const file of seen) onImport?.(pathToFileURL(file).href);
}

/** From Node.js 22.18 on. */
function stripsTypes(): boolean {
  return "typescript" in process.features && process.features.typescript !== false;
}

function withoutTypeScript(path: string): HoldfastError {
  const ways = "run `npm install --save-dev tsx`, use Node.js 22.18 or newer, or compile it to JavaScript";
  return new HoldfastError(
    "APPLICATION_INVALID",
    `${path}: Node.js ${process.versions.node} runs no TypeScript: ${ways}`,
  );
}

async function importDefault(path: string): Promise<unknown> {
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(path).href);
    return unwrapped(loaded.default);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError("APPLICATION_INVALID", `${path}: cannot be loaded: ${reason}`, { cause: error });
  }
}

/** Node.js gives a whole CommonJS module as its default export. */
function unwrapped(exported: unknown): unknown {
  const isModule = typeof exported === "object" && exported !== null && "__esModule" in exported;
  return isModule && "default" in exported ? exported.default : exported;
}

function isApplication(value: unknown): value is Application {
  return typeof value === "object" && value !== null && "jobs" in value && value.jobs instanceof Map;
}
