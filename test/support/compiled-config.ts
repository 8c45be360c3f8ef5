import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The application of `fixtures/holdfast.config.ts` as JavaScript, as in production: loading TypeScript takes each process a quarter of a second. */
export const COMPILED_CONFIG = fileURLToPath(new URL("../../dist/.test/holdfast.config.js", import.meta.url));

/** In `dist/`, where it finds the packages and the build. */
export async function compileConfig(): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("fixtures/holdfast.config.ts", import.meta.url))],
    outfile: COMPILED_CONFIG,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
}
