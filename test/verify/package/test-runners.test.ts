import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { makeRunnerProject } from "../../support/runner-project.ts";

const exec = promisify(execFile);
const vitest = fileURLToPath(new URL("../../../node_modules/vitest", import.meta.url));

/** Where Jest is installed. It has hundreds of packages, so only `npm run runners` has it. */
const jest = process.env.JEST_FOLDER;

const runners = [
  {
    name: "node:test",
    importTest: 'import { test } from "node:test";',
    args: ["--test"],
    withoutSweep: "--test-name-pattern=^runs",
  },
  {
    name: "Vitest",
    importTest: 'import { test } from "vitest";',
    args: [`${vitest}/vitest.mjs`, "run", "--testTimeout=30000"],
    withoutSweep: "--testNamePattern=^runs",
    modules: { vitest },
  },
  ...(jest === undefined
    ? []
    : [
        {
          name: "Jest",
          importTest: 'import { test } from "@jest/globals";',
          args: ["--experimental-vm-modules", `${jest}/jest/bin/jest.js`, "--testMatch=**/*.test.mjs"],
          withoutSweep: "",
          modules: { "@jest": `${jest}/@jest` },
        },
      ]),
];

describe("holdfast/testing", withProcesses, () => {
  // The sweep starts many processes, and the tests of examples have it already.
  it.each(runners)("works in $name", async ({ importTest, args, withoutSweep, modules }) => {
    const folder = makeRunnerProject(importTest, modules);
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const allArgs = jest === undefined ? [...args, withoutSweep] : args;
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: "1" };

    const { stdout, stderr } = await exec(process.execPath, allArgs, { cwd: folder, env });

    const passed = jest === undefined ? 2 : 3;
    expect(stdout + stderr).toMatch(new RegExp(`\\b${passed} passed|pass ${passed}\\b`));
  });
});
