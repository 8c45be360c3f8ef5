import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Application } from "../job/define-config.ts";

/**
 * Loads `holdfast.config.ts`, TypeScript or JavaScript, with everything it imports.
 *
 * @param file a path, relative to the working directory
 * @throws HoldfastError `APPLICATION_INVALID` if the file is missing, throws, or exports no application
 */
export async function loadApplication(file: string): Promise<Application> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new HoldfastError("APPLICATION_INVALID", `HOLDFAST_CONFIG: there is no file ${path}`);
  const { register } = await import("tsx/esm/api");
  register();
  const exported = await importDefault(path);
  if (!isApplication(exported)) {
    throw new HoldfastError("APPLICATION_INVALID", `${path}: expected "export default defineConfig({ … })"`);
  }
  return exported;
}

async function importDefault(path: string): Promise<unknown> {
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(path).href);
    return loaded.default;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError("APPLICATION_INVALID", `${path}: cannot be loaded: ${reason}`, { cause: error });
  }
}

function isApplication(value: unknown): value is Application {
  return typeof value === "object" && value !== null && "jobs" in value && value.jobs instanceof Map;
}
