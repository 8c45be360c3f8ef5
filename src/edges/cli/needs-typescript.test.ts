import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { needsTypeScript } from "./needs-typescript.ts";

function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-needs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return join(folder, Object.keys(files)[0] ?? "");
}

it("a configuration of JavaScript alone needs no TypeScript, also one whose modules import each other", () => {
  const config = project({
    "holdfast.config.mjs": 'import { defineConfig } from "holdfast";\nimport { job } from "./jobs/job.js";',
    "jobs/job.js":
      'import config from "../holdfast.config.mjs";\nconst load = () => import("./handler.cjs");',
    "jobs/handler.cjs": 'const { zod } = require("zod");',
  });
  expect(needsTypeScript(config)).toBe(false);
});

it("compiled CommonJS needs none, whose paths have no endings", () => {
  const config = project({
    "holdfast.config.js": 'const jobs_1 = require("./jobs");\nconst app = require("./app");',
    "jobs/index.js": 'const job_1 = require("./job");\nconst names = require("./names.json");',
    "jobs/job.js": 'const up = require("..");',
    "jobs/names.json": "{}",
    "index.js": "",
    "app.js": 'const { AppModule } = await import("./jobs/job.js");',
  });
  expect(needsTypeScript(config)).toBe(false);
});

it.each([
  ["a configuration", { "holdfast.config.ts": "" }],
  ["an import", { "a.mjs": 'import { job } from "./job.ts";', "job.ts": "" }],
  ["an import for its effect", { "a.js": 'import "./job.mts"', "job.mts": "" }],
  ["handlers that are loaded later", { "a.js": "handlers: () => import('./b.ts')", "b.ts": "" }],
  [
    "a module that JavaScript requires",
    { "a.cjs": 'require("./b.js")', "b.js": 'require("./c.cts")', "c.cts": "" },
  ],
  ["a list of exports", { "a.js": 'export {\n  job,\n} from "./job.ts";', "job.ts": "" }],
  ["a module that JavaScript requires without its ending", { "a.js": 'require("./b")', "b.ts": "" }],
  ["a path without its ending", { "a.js": 'import "./job"', "job.ts": "" }],
  ["a path that only TypeScript resolves", { "a.js": 'import "./job.js"', "job.ts": "" }],
])("%s may need TypeScript", (_, files) => {
  expect(needsTypeScript(project(files as unknown as Record<string, string>))).toBe(true);
});
