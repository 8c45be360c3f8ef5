import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The path of a file of this package, from its source as from each of its builds.
 *
 * @param path from the package's folder: `dist/console/`
 * @throws Error when this code was bundled into an application, away from the package
 */
export function packageFile(path: string): string {
  let folder = new URL(".", import.meta.url);
  while (!existsSync(new URL("bin/holdfast", folder))) {
    const above = new URL("..", folder);
    if (above.href === folder.href)
      throw new Error(`Holdfast's files are not beside its code: do not bundle the package "holdfast"`);
    folder = above;
  }
  return fileURLToPath(new URL(path, folder));
}
