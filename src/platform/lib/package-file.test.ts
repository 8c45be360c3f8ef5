import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { packageFile } from "./package-file.ts";

describe("a file of the package", () => {
  it("is found from the code", () => {
    expect(existsSync(packageFile("package.json"))).toBe(true);
  });

  it.each(["cjs", "esm"] as const)(
    "says in a bundle (%s) what to do, because nothing is beside it",
    async (format) => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-bundled-"));
      try {
        const outfile = join(folder, format === "cjs" ? "bundle.cjs" : "bundle.mjs");
        const entryPoints = [join(import.meta.dirname, "package-file.ts")];
        buildSync({ entryPoints, outfile, bundle: true, platform: "node", format, logLevel: "silent" });
        const bundled =
          format === "cjs"
            ? createRequire(import.meta.url)(outfile)
            : await import(/* @vite-ignore */ outfile);

        expect(() => bundled.packageFile("dist/console/")).toThrow("--external:holdfast");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
