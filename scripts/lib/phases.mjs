// The parts of `npm test` and `npm run verify`: how long each took, and what failed.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { startStopWatch } from "./progress.mjs";
import { capture, show } from "./run.mjs";
import { setUpToTest, untilDiskIsQuick } from "./setup.mjs";

const reports = "node_modules/.cache/holdfast";

/** Sets up. Returns what runs the parts and sums them up. */
export async function startPhases() {
  const times = [];
  const failed = [];
  const failedTests = [];

  /** Runs one part, which resolves to its exit code. */
  async function run(name, work) {
    const stopWatch = startStopWatch();
    const code = await work();
    times.push(`${name} ${stopWatch()}`);
    if (code !== 0) failed.push(name);
  }

  /** Runs the tests of some projects, as many files at a time as there are processors. */
  async function runTests(name, projects) {
    await runVitest(
      name,
      projects.map((project) => `--project=${project}`),
    );
  }

  /** Runs Vitest with these arguments. */
  async function runVitest(name, args) {
    const file = `${reports}/${name.replaceAll(/\W+/g, "-")}.json`;
    const reporters = ["--reporter=default", "--reporter=./scripts/lib/failures-reporter.mjs"];
    mkdirSync(reports, { recursive: true });
    rmSync(file, { force: true });
    await run(name, () =>
      show(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args], {
        CHROMIUM_PATH: chromium,
        FAILURES_FILE: file,
      }),
    );
    if (existsSync(file)) failedTests.push(...JSON.parse(readFileSync(file, "utf8")));
  }

  /** Prints the times and, at the end, where people look first in a long log, what failed. Returns the exit code. */
  function end() {
    console.log(times.join(", "));
    if (failed.length === 0) return 0;
    print(`failed: ${failed.join(", ")}`, failedTests);
    return 1;
  }

  let chromium;
  await run("set-up", async () => {
    chromium = await setUpToTest();
    return 0;
  });
  return { run, runTests, runVitest, end };
}

/**
 * Runs the gate, and the tests that every change needs. Not side by side: tests have deadlines. Both, so that one run shows every failure. The
 * gate is first: meanwhile the disk gets over an install.
 *
 * @param isQuick whether the gate leaves out its slow checks
 */
export async function runFirstTier({ run, runTests }, { isQuick }) {
  const gate = ["scripts/check.mjs", ...(isQuick ? ["--quick"] : [])];
  await run("check", () => printed(capture(process.execPath, gate)));
  await untilDiskIsQuick();
  await runTests("tests", ["unit", "integration", "quick-proofs"]);
}

/** Prints the output of a command that has run quietly. Resolves to its exit code. */
async function printed(command) {
  const { code, output } = await command;
  console.log(output.trimEnd());
  return code;
}

/** Prints a heading, and one line per failure. */
function print(heading, failures) {
  console.log([heading, ...failures.map(({ test, message }) => `${test}: ${message}`)].join("\n  "));
}
