// npm run verify: `npm test`, then all other tests, and short runs of the fault laboratory, the fuzzing and the table of truth.
import { captureEvidence } from "./lib/evidence.mjs";
import { runFaults } from "./lib/faults.mjs";
import { captureFuzz } from "./lib/fuzz.mjs";
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { runScript } from "./lib/script.mjs";

await runScript(async () => {
  const phases = await startPhases();
  await runFirstTier(phases);
  const findings = [];
  // Not at once: they would wait for each other, until deadlines of two seconds pass.
  await phases.runVitest("verify", ["--project=verify", "--maxWorkers=3"], { isShown: false });
  await runHostileInputs();
  // Half of them each time: all take longer than a change should wait. `npm run faults -- --quick` runs all.
  await phases.run("faults", () => runFaults(["--quick", "--some", "18"]));
  // After the faults' results, where people look.
  for (const finding of findings) console.log(finding);
  return phases.end();

  async function runHostileInputs() {
    await phases.run("fuzz", async () => codeOf(await captureFuzz(["--quick"])));
    await phases.run("evidence", async () => codeOf(await captureEvidence(["--quick"])));
  }

  function codeOf({ code, output }) {
    findings.push(code === 0 ? lastLine(output) : output.trimEnd());
    return code;
  }
});

function lastLine(text) {
  return text.trimEnd().split("\n").at(-1);
}
