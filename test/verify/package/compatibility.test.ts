import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Combination, tryApplication } from "../../../lab/compat/lib/applications.ts";
import { addProducer, bundlers, jobId } from "../../../lab/compat/lib/bundles.ts";
import { checkout, pack, removeFolders } from "../../../lab/compat/lib/folder.ts";
import { type Installed, install } from "../../../lab/compat/lib/installs.ts";
import { checkTypes, openTypedProject, type TypedProject } from "../../../lab/compat/lib/types.ts";

/** The short form of `npm run compat`. */
describe("in somebody else's project the package", { timeout: 300_000 }, () => {
  let installed: Installed;
  let project: TypedProject;
  let tarball: string;
  beforeAll(async () => {
    ({ tarball } = await pack());
    [installed, project] = await Promise.all([
      install("npm", [tarball]),
      openTypedProject(tarball, "4.0.17", "4", ["typescript-5.4@npm:typescript@5.4"]),
    ]);
  }, 240_000);

  afterAll(removeFolders);

  it("installs without a warning, and without a dependency that this Node.js is too old for", () => {
    expect(installed.warnings).toEqual([]);
  });

  // Each waits for its installs: they wait together.
  it.concurrent.each<Combination>([
    { application: "express", runtime: "this Node.js", manager: "npm", versions: { zod: "^3.25.76" } },
    // npm, asked to be strict, refuses what Fastify depends on where Node.js is 20.
    { application: "fastify", runtime: "this Node.js", manager: "pnpm 10" },
    { application: "hono", runtime: "this Node.js", manager: "pnpm 12" },
  ])(
    "is installed in an application of $application by $manager, which is built and used",
    // Each build checks the types of its example, which nothing else compiles, but for Nest's: nestjs.test.ts has it. That of Next.js takes
    // minutes: `npm run compat` has it.
    { timeout: 900_000 },
    async (row) => {
      expect(await tryApplication(row, tarball)).not.toHaveProperty("fault");
    },
  );

  it.each([
    ["5.4, the oldest", "typescript-5.4"],
    ["this checkout's", join(checkout, "node_modules/typescript")],
  ])(
    "type-checks with its declarations beside another copy of Zod, by TypeScript %s",
    async (_, compiler) => {
      const { faults } = await checkTypes(project, "ours", compiler, "nodenext");

      expect(faults).toBe("");
    },
  );

  it("lets a bundled producer run, whatever its host's variables are", async () => {
    await addProducer(installed.folder);

    for (const bundle of bundlers.esbuild.bundles)
      expect((await bundle(installed.folder, inject("redisUrl"))).jobId).toMatch(jobId);
  });
});
