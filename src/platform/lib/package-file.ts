import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The path of a file of this package, from its source as from each of its builds.
 *
 * @param path from the package's folder: `dist/console/`
 * @throws Error when this code was bundled into an application, away from the package
 */
export function packageFile(path: string): string {
  const own: string | undefined = import.meta.url; // a bundle of CommonJS has none
  let folder = new URL(".", own ?? "file:///");
  while (!existsSync(new URL("bin/holdfast", folder))) {
    const above = new URL("..", folder);
    if (above.href === folder.href)
      throw new Error(
        `Holdfast's files are not beside its code: keep the package "holdfast" out of your bundle (esbuild: --external:holdfast)`,
      );
    folder = above;
  }
  return fileURLToPath(new URL(path, folder));
}
