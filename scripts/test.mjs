// npm test: all set-up, then the gate, then every test. Arguments go to vitest: `npm test -- src/effect`.
import { passGate } from "./lib/gate.mjs";
import { startStopWatch } from "./lib/progress.mjs";
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

await runScript(async () => {
  const times = [];
  const chromium = await timed("set-up", setUpToTest);
  const passed = await timed("check", passGate);
  const vitestCode = await timed("tests", () => runVitest(chromium)); // even after a failed gate: one run tells all
  console.log(times.join(", "));
  return passed ? vitestCode : 1;

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
