// The parts of `npm test` and `npm run verify`: how long each took, and what failed.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { startStopWatch } from "./progress.mjs";
import { capture, show } from "./run.mjs";
import { setUpToTest, untilDiskIsQuick } from "./setup.mjs";

const reports = "node_modules/.cache/holdfast";

/** So few files may have failed because the machine was busy; more are a fault. */
const ALONE_MAX = 5;

/** Sets up. Returns what runs the parts and sums them up. */
export async function startPhases() {
  const times = [];
  const failed = [];
  const failedTests = [];
  const passedAlone = [];

  /** Runs one part, which resolves to its exit code. */
  async function run(name, work) {
    const stopWatch = startStopWatch();
    const code = await work();
    times.push(`${name} ${stopWatch()}`);
    if (code !== 0) failed.push(name);
  }

  /**
   * Runs tests, of all files of the projects or of some. Tests have deadlines, which a busy machine can miss: a few files that failed run
   * again, one after the other, and what passes then is said at the end.
   */
  async function runTests(name, { projects, files = [], workers, isShown }) {
    const chosen = projects.map((project) => `--project=${project}`);
    await run(name, async () => {
      const first = await vitest(name, [...chosen, ...files, `--maxWorkers=${workers}`], isShown);
      const again = [...new Set(first.failures.map(({ file }) => file))];
      // One without a file happened outside of every test.
      if (again.length === 0 || again.length > ALONE_MAX || again.includes(undefined)) {
        failedTests.push(...first.failures);
        return first.code;
      }
      const alone = await vitest(`${name}-alone`, [...chosen, ...again, "--maxWorkers=1"], isShown);
      if (alone.code === 0) passedAlone.push(...first.failures);
      else failedTests.push(...alone.failures);
      return alone.code;
    });
  }

  /** Runs Vitest as a person asks for it. */
  async function runVitest(name, args) {
    await run(name, async () => {
      const { code, failures } = await vitest(name, args, true);
      failedTests.push(...failures);
      return code;
    });
  }

  /** Runs Vitest with our output, or captures and then prints it, because two cannot rewrite the lines of one terminal. */
  async function vitest(name, args, isShown) {
    const file = `${reports}/${name.replaceAll(/\W+/g, "-")}.json`;
    const reporters = ["--reporter=default", "--reporter=./scripts/lib/failures-reporter.mjs"];
    const command = [process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args]];
    const variables = { CHROMIUM_PATH: chromium, FAILURES_FILE: file };
    mkdirSync(reports, { recursive: true });
    rmSync(file, { force: true });
    const code = isShown ? await show(...command, variables) : await printed(capture(...command, variables));
    return { code, failures: existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [] };
  }

  /** Prints the times and, at the end, where people look first in a long log, what failed. Returns the exit code. */
  function end() {
    console.log(times.join(", "));
    if (passedAlone.length > 0) print("failed beside others, passed alone:", passedAlone);
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
  await runTests("tests", { projects: ["unit", "integration"], workers: 5, isShown: true });
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
