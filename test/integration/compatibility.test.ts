import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { bundlers, jobId, openBundledProject } from "../../compat/lib/bundles.ts";
import { checkout, pack, removeFolders } from "../../compat/lib/folder.ts";
import { install } from "../../compat/lib/installs.ts";
import { checkTypes, openTypedProject } from "../../compat/lib/types.ts";

/** The short form of `npm run compat`. */
describe("in somebody else's project the package", { timeout: 120_000 }, () => {
  let tarball: string;
  beforeAll(async () => {
    ({ tarball } = await pack());
  });

  afterAll(removeFolders);

  it("installs without a warning, and without a dependency that this Node.js is too old for", async () => {
    expect((await install("npm", [tarball])).warnings).toEqual([]);
  });

  it("type-checks beside another copy of Zod", async () => {
    const project = await openTypedProject(tarball, "4.0.17", "4");

    const { faults } = await checkTypes(
      project,
      "ours",
      join(checkout, "node_modules/typescript"),
      "nodenext",
    );

    expect(faults).toBe("");
  });

  it("lets a bundled producer run, whatever its host's variables are", async () => {
    const folder = await openBundledProject(tarball, []);

    for (const bundle of bundlers.esbuild.bundles)
      expect((await bundle(folder, inject("redisUrl"))).jobId).toMatch(jobId);
  });
});
