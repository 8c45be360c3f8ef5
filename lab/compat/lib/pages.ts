import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkout } from "./folder.ts";

/** A page's code block that is a whole file of an example. */
interface PageFile {
  /** From the example's folder: `app/actions.ts`. */
  readonly path: string;
  readonly code: string;
}

/** The files that a page of the docs shows, as they stand there. */
function filesOfPage(page: string, example: string): PageFile[] {
  const text = readFileSync(join(checkout, "docs", page), "utf8");
  const block = /^<!-- from: (?<source>[^\s#]+)(?: as CommonJS)? -->\n```\w*\n(?<code>[\s\S]*?)\n```$/gm;
  return [...text.matchAll(block)]
    .filter(({ groups }) => groups?.source?.startsWith(`examples/${example}/`))
    .map(({ groups }) => ({
      path: groups?.source?.slice(`examples/${example}/`.length) ?? "",
      code: `${groups?.code}\n`,
    }));
}

/** Writes them into a project, as a reader does. @param left a folder of what only some readers need */
export function copyPage(page: string, example: string, folder: string, left?: string): void {
  for (const { path, code } of filesOfPage(page, example)) {
    if (left !== undefined && path.startsWith(left)) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
}
