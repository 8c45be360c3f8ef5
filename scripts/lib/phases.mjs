// The parts of `npm test` and `npm run verify`: how long each took, and what failed.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { startStopWatch } from "./progress.mjs";
import { capture, show } from "./run.mjs";
import { setUpToTest } from "./setup.mjs";

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

  /** Runs Vitest with our output, or captures and then prints it, because two cannot rewrite the lines of one terminal. */
  async function runVitest(name, args, { isShown, env = {} }) {
    const report = `${reports}/${name}.json`;
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const command = [process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args]];
    rmSync(report, { force: true });
    await run(name, async () => {
      const variables = { ...env, CHROMIUM_PATH: chromium };
      return isShown ? await show(...command, variables) : await printed(capture(...command, variables));
    });
    failedTests.push(...failedTestsIn(report));
  }

  /** Prints the times and, at the end, where people look first in a long log, what failed. Returns the exit code. */
  function end() {
    console.log(times.join(", "));
    if (failed.length === 0) return 0;
    console.log([`failed: ${failed.join(", ")}`, ...failedTests].join("\n  "));
    return 1;
  }

  let chromium;
  await run("set-up", async () => {
    chromium = await setUpToTest();
    return 0;
  });
  return { run, runVitest, end };
}

/** Runs the tests that every change needs, and the gate. Not side by side: tests have deadlines. Both, so that one run shows every failure. */
export async function runFirstTier({ run, runVitest }) {
  await runVitest("tests", ["--project=unit", "--project=integration"], { isShown: true });
  await run("check", () => printed(capture(process.execPath, ["scripts/check.mjs"])));
}

/** Prints the output of a command that has run quietly. Resolves to its exit code. */
async function printed(command) {
  const { code, output } = await command;
  console.log(output.trimEnd());
  return code;
}

/** One line per failed test, with the first line of its message. */
function failedTestsIn(report) {
  if (!existsSync(report)) return [];
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0) return status === "failed" ? [`${name}: ${firstLine(message)}`] : [];
    return failed.map((test) => `${test.fullName}: ${firstLine(test.failureMessages.join("\n"))}`);
  });
}

function firstLine(text) {
  return text.trimStart().split("\n", 1)[0];
}
