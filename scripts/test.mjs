// npm test: all set-up, then the gate, then every test, then the fault laboratory and the fuzzing run in their short
// forms. Arguments go to vitest, and then that is all: `npm test -- src/effect`.
import { runFaults } from "./lib/faults.mjs";
import { runFuzz } from "./lib/fuzz.mjs";
import { passGate } from "./lib/gate.mjs";
import { startStopWatch } from "./lib/progress.mjs";
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

const isChosen = process.argv.length > 2;

await runScript(async () => {
  const times = [];
  const chromium = await timed("set-up", setUpToTest);
  const passed = await timed("check", passGate);
  const vitestCode = await timed("tests", () => runVitest(chromium)); // even after a failed gate: one run tells all
  // Side by side: both mostly wait, for locks and deadlines to pass.
  const [faultsCode, fuzzCode] = isChosen
    ? [0, 0]
    : await Promise.all([
        timed("faults", () => runFaults(["--quick"])),
        timed("fuzz", () => runFuzz(["--quick"])),
      ]);
  console.log(times.join(", "));
  return passed ? vitestCode || faultsCode || fuzzCode : 1;

  async function timed(phase, work) {
    const stopWatch = startStopWatch();
    const result = await work();
    times.push(`${phase} ${stopWatch()}`);
    return result;
  }
});

function runVitest(chromium) {
  const args = ["node_modules/vitest/vitest.mjs", "run", ...process.argv.slice(2)];
  return show(process.execPath, args, { CHROMIUM_PATH: chromium });
}
