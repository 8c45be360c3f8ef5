import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it.each([
  ["one-worker", "2"],
  ["guard", "2"],
])(
  "keeps every promise in every order of the scenario %s with %s faults",
  async (scenario, faults) => {
    const options = ["--quick", "--scenario", scenario, "--faults", faults];
    const run = promisify(execFile)(process.execPath, ["--import", "tsx", "lab/explore/run.ts", ...options]);
    const { stdout } = await run.catch((error: { stdout: string }) => error);

    expect(stdout).not.toMatch(/BROKEN|NOT ALL|But /);
    expect(stdout).toMatch(/^[\w-]+: .*all \d+ states/m);
  },
  900_000,
);
