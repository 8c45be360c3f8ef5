import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";

const javaScript = /\.([cm]?js|json)$/;
/** What is imported by a relative path that is written out, also by `import()` and `require()`. */
const relativeImports =
  /(?:\bfrom|\bimport|\b(?<isRequired>require))\s*\(?\s*["'](?<path>\.{1,2}(?:\/[^"']*)?)["']/g;
/** What `require()` adds to a path. */
const endings = ["", ".js", ".json", "/index.js"];

/**
 * Whether a module, or a file that it imports by a relative path, is anything but JavaScript that Node.js finds by itself. A path without
 * its ending counts, too, unless it is required: Node.js resolves none in an ES module.
 *
 * @param file an absolute path
 * @param seen the files that were read; all that JavaScript imports by such paths, if the answer is no
 */
export function needsTypeScript(file: string, seen: Set<string> = new Set()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  if (!javaScript.test(file) || !isFile(file)) return true;
  const imports = [...readFileSync(file, "utf8").matchAll(relativeImports)];
  return imports.some(({ groups }) => {
    const path = resolve(file, "..", groups?.path ?? "");
    return needsTypeScript(groups?.isRequired === undefined ? path : required(path), seen);
  });
}

function required(path: string): string {
  return endings.map((ending) => `${path}${ending}`).find(isFile) ?? path;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
