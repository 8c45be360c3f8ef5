// npm test: sets up, then runs the gate, every test, and short runs of the fault laboratory, the fuzzing and the table of truth.
// Arguments go to vitest, which is then all that runs: `npm test -- src/effect`.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { captureEvidence } from "./lib/evidence.mjs";
import { runFaults } from "./lib/faults.mjs";
import { captureFuzz } from "./lib/fuzz.mjs";
import { startStopWatch } from "./lib/progress.mjs";
import { captureInBackground, show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

const isChosen = process.argv.length > 2;
const notRun = { code: 0, output: "" };
const testReport = "node_modules/.cache/holdfast/tests.json";

await runScript(async () => {
  const times = [];
  const chromium = await timed("set-up", setUpToTest);
  // Side by side, because tests mostly wait; and both, so that one run shows every failure.
  const [gate, vitestCode] = await Promise.all([
    timed("check", runGate),
    timed("tests", () => runVitest(chromium)),
  ]);
  console.log(gate.output.trimEnd()); // only now: Vitest rewrites the lines of a terminal
  // Side by side, because they mostly wait.
  const [faultsCode, fuzz, evidence] = isChosen
    ? [0, notRun, notRun]
    : await Promise.all([
        timed("faults", () => runFaults(["--quick"])),
        timed("fuzz", () => captureFuzz(["--quick"])),
        timed("evidence", () => captureEvidence(["--quick"])),
      ]);
  // Findings come after the faults' results, where people look.
  for (const { code, output } of isChosen ? [] : [fuzz, evidence])
    console.log(code === 0 ? lastLine(output) : output.trimEnd());
  console.log(times.join(", "));
  const phases = {
    check: gate.code,
    tests: vitestCode,
    faults: faultsCode,
    fuzz: fuzz.code,
    evidence: evidence.code,
  };
  const failed = Object.keys(phases).filter((phase) => phases[phase] !== 0);
  // At the end, where people look first in a long log.
  if (failed.length > 0) console.log([`failed: ${failed.join(", ")}`, ...failedTests()].join("\n  "));
  return failed.length === 0 ? 0 : 1;

  async function timed(phase, work) {
    const stopWatch = startStopWatch();
    const result = await work();
    times.push(`${phase} ${stopWatch()}`);
    return result;
  }
});

/** Resolves to its exit code and output. */
function runGate() {
  return captureInBackground(process.execPath, ["scripts/check.mjs"]);
}

function runVitest(chromium) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${testReport}`];
  const args = ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...process.argv.slice(2)];
  rmSync(testReport, { force: true });
  return show(process.execPath, args, { CHROMIUM_PATH: chromium });
}

/** One line per failed test, with the first line of its message. */
function failedTests() {
  if (!existsSync(testReport)) return [];
  const { testResults } = JSON.parse(readFileSync(testReport, "utf8"));
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0) return status === "failed" ? [`${name}: ${firstLine(message)}`] : [];
    return failed.map((test) => `${test.fullName}: ${firstLine(test.failureMessages.join("\n"))}`);
  });
}

function firstLine(text) {
  return text.trimStart().split("\n", 1)[0];
}

function lastLine(text) {
  return text.trimEnd().split("\n").at(-1);
}
