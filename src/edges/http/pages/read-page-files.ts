import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

/** A page's files by their path below it: brotli, in base64. */
export type PageFiles = Readonly<Record<string, string>>;

const SERVED = /\.(html|js|css)$/;

/**
 * Reads the files of a folder that a browser asks for; none if nothing is built. The build does it once, and writes the result into the
 * module that calls it here.
 *
 * @param quality of brotli; the lowest when the sources run as they are
 */
export function readPageFiles(folder: string, quality = constants.BROTLI_MIN_QUALITY): PageFiles {
  if (!existsSync(folder)) return {};
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality };
  const compress = (file: string) => brotliCompressSync(readFileSync(file), { params }).toString("base64");
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    SERVED.test(path),
  );
  return Object.fromEntries(found.map((path) => [path.replaceAll("\\", "/"), compress(join(folder, path))]));
}
