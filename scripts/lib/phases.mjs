// The parts of `npm test` and `npm run verify`: how long each took, and what failed.
import { existsSync, readFileSync, rmSync } from "node:fs";
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
   * Runs Vitest with our output, or captures and then prints it, because two cannot rewrite the lines of one terminal. Tests have deadlines,
   * which a busy machine can miss: a few files that failed run again, one after the other, and what passes then is said at the end.
   */
  async function runVitest(name, args, options) {
    await run(name, async () => {
      const code = await runVitestOnce(name, args, options);
      const failed = failuresIn(name);
      const files = [...new Set(failed.map(({ file }) => file))];
      if (files.length === 0 || files.length > ALONE_MAX) {
        failedTests.push(...failed);
        return code;
      }
      const codeAlone = await runVitestOnce(`${name}-alone`, [...files, ...args, "--maxWorkers=1"], options);
      if (codeAlone === 0) passedAlone.push(...failed);
      else failedTests.push(...failuresIn(`${name}-alone`));
      return codeAlone;
    });
  }

  async function runVitestOnce(name, args, { isShown, env = {} }) {
    const report = reportOf(name);
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const command = [process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args]];
    rmSync(report, { force: true });
    const variables = { ...env, CHROMIUM_PATH: chromium };
    return isShown ? await show(...command, variables) : await printed(capture(...command, variables));
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
  return { run, runVitest, end };
}

/**
 * Runs the gate, and the tests that every change needs. Not side by side: tests have deadlines. Both, so that one run shows every failure. The
 * gate is first: meanwhile the disk gets over an install.
 */
export async function runFirstTier({ run, runVitest }) {
  await run("check", () => printed(capture(process.execPath, ["scripts/check.mjs"])));
  await untilDiskIsQuick();
  await runVitest("tests", ["--project=unit", "--project=integration"], { isShown: true });
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

const reportOf = (name) => `${reports}/${name.replaceAll(/\W+/g, "-")}.json`;

/** One entry per failed test, with the first line of its message. */
function failuresIn(name) {
  const report = reportOf(name);
  if (!existsSync(report)) return [];
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  return testResults.flatMap(({ name: file, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0)
      return status === "failed" ? [{ file, test: file, message: firstLine(message) }] : [];
    return failed.map(({ fullName, failureMessages }) => ({
      file,
      test: fullName,
      message: firstLine(failureMessages.join("\n")),
    }));
  });
}

function firstLine(text) {
  return text.trimStart().split("\n", 1)[0];
}
