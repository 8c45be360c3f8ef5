import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runProcess, withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";

/** An application that imports TypeScript, by a path that is written out or not. */
function applicationWith(specifier: string): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-javascript-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "jobs.mts"), "export const jobs: Map<string, object> = new Map();");
  const config = join(folder, "holdfast.config.mjs");
  writeFileSync(config, `const { jobs } = await import(${specifier});\nexport default { jobs, queues: [] };`);
  return config;
}

describe("an application of JavaScript", withProcesses, () => {
  it("may import TypeScript", async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: applicationWith('"./jobs.mts"') };
    expect(await runProcess(["jobs", "list"], env)).toMatchObject({ code: 0, stderr: "" });
  });

  it("is loaded by Node.js alone where it imports none that can be seen", async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: applicationWith('["./jobs", "mts"].join(".")') };
    expect((await runProcess(["jobs", "list"], env)).stderr).toContain('Unknown file extension ".mts"');
  });
});
