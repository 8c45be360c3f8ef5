import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("keeps every promise in every order of the steps of two workers, and of one worker with any fault", async () => {
  const run = ["--import", "tsx", "lab/explore/run.ts", "--quick"];
  const { stdout } = await promisify(execFile)(process.execPath, run).catch(
    (error: { stdout: string }) => error,
  );

  expect(stdout).not.toMatch(/BROKEN|NOT ALL|But /);
  expect(stdout.match(/^[\w-]+: .*all \d+ states/gm)).toHaveLength(60);
}, 600_000);
