import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

/** Bundles a module of `dist/` for a browser, as an application's build would. Fails if it needs Node.js or a package. */
export async function bundleForBrowser(file: string): Promise<string> {
  const entry = fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
  const [bundle] = (await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      lib: { entry, formats: ["es"] },
      minify: true,
      rolldownOptions: {
        external: (id) => {
          if (/^[./]/.test(id)) return false;
          throw new Error(`A browser has no ${id}`);
        },
      },
    },
  })) as Rolldown.RolldownOutput[];
  const [chunk, ...others] = bundle?.output ?? [];
  if (chunk === undefined || others.length > 0)
    throw new Error(`Expected one file, got ${others.length + 1}`);
  return chunk.code;
}
