import { readFileSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

interface Resolved {
  readonly url: string;
  readonly format?: string | null | undefined;
}
interface ResolveContext {
  readonly parentURL?: string | undefined;
}
type Resolve = (specifier: string, context: ResolveContext) => Resolved;

/** Node.js has them from 22.15 on; its types, from later on. */
interface WithHooks {
  readonly registerHooks?: (hooks: {
    resolve: (specifier: string, context: ResolveContext, next: Resolve) => Resolved;
  }) => unknown;
}

const typeScript = /\.[cm]?ts$/;

/**
 * Lets a Node.js that strips types find what compilers and bundlers find: `./job` and `./job.js` mean `./job.ts` where that is the file.
 *
 * @param onImport is called with the URL of each file of the application
 */
export function resolveTypeScript(onImport?: (url: string) => void): void {
  (nodeModule as WithHooks).registerHooks?.({
    resolve(specifier, context, next) {
      const resolved = resolve(specifier, context, next);
      if (!isOfApplication(resolved.url)) return resolved;
      onImport?.(resolved.url);
      const isTyped = typeScript.test(resolved.url) && isTypelessModule(fileURLToPath(resolved.url));
      return isTyped ? { ...resolved, format: "module-typescript" } : resolved;
    },
  });
}

function resolve(specifier: string, context: ResolveContext, next: Resolve): Resolved {
  try {
    return next(specifier, context);
  } catch (error) {
    const found = sourceOf(specifier, context.parentURL);
    if (found === undefined) throw error;
    return next(found, context);
  }
}

function sourceOf(specifier: string, parent: string | undefined): string | undefined {
  if (!/^\.{1,2}(\/|$)/.test(specifier) || parent === undefined || !isOfApplication(parent)) return undefined;
  const { href } = new URL(specifier, parent);
  const named = href.replace(/\.([cm]?)js$/, ".$1ts");
  const candidates = named === href ? [".ts", ".mts", ".cts", "/index.ts"].map((end) => href + end) : [named];
  return candidates.find((url) => statSync(new URL(url), { throwIfNoEntry: false })?.isFile());
}

function isOfApplication(url: string): boolean {
  return url.startsWith("file:") && !url.includes("/node_modules/");
}

/** Whether Node.js would first read it as CommonJS, because its `package.json` says no type, and warn of that. */
function isTypelessModule(file: string): boolean {
  if (!file.endsWith(".ts") || !/^\s*(import|export)\b/m.test(readFileSync(file, "utf8"))) return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    try {
      const own: { readonly type?: unknown } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
      return own.type === undefined;
    } catch {
      if (folder === dirname(folder)) return true;
    }
  }
}
