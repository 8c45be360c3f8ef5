import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const javaScript = /\.[cm]?js$/;
/** What is imported by a relative path that is written out, also by `import()` and `require()`. */
const relativeImports = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.{1,2}\/[^"']*)["']/g;

/**
 * Whether a module, or a file that it imports by a relative path, is anything but JavaScript that Node.js finds by itself. A path without
 * its ending counts, too: Node.js resolves none in an ES module.
 *
 * @param file an absolute path
 * @param seen the files that were read; all that JavaScript imports by such paths, if the answer is no
 */
export function needsTypeScript(file: string, seen: Set<string> = new Set()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  if (!javaScript.test(file) || !existsSync(file)) return true;
  const imports = [...readFileSync(file, "utf8").matchAll(relativeImports)];
  return imports.some(([, path = ""]) => needsTypeScript(resolve(file, "..", path), seen));
}
