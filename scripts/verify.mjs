// npm run verify: `npm test` with the whole gate, then a sixth of the other tests and of the fault laboratory, another sixth each time, and
// short runs of the fuzzing and the table of truth. `-- --all` runs all of them, `-- --part N` the same sixth of the tests again.
import { captureEvidence } from "./lib/evidence.mjs";
import { runFaults } from "./lib/faults.mjs";
import { captureFuzz } from "./lib/fuzz.mjs";
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { chosenPart, filesOfPart, PARTS } from "./lib/second-tier.mjs";

await runScript(async () => {
  const part = chosenPart(process.argv.slice(2));
  const phases = await startPhases();
  await runFirstTier(phases, { isQuick: false });
  const findings = [];
  // One after the other: they would wait for each other, until deadlines of two seconds pass.
  await runSecondTier();
  await phases.run("fuzz", async () => codeOf(await captureFuzz(["--quick"])));
  await phases.run("evidence", async () => codeOf(await captureEvidence(["--quick"])));
  await phases.run("tour", () => show(process.execPath, ["scripts/tour.mjs", "--check"]));
  await phases.run("faults", () => runFaults(["--quick", ...(part === undefined ? [] : ["--some", "7"])]));
  // After the faults' results, where people look.
  for (const finding of findings) console.log(finding);
  return phases.end();

  async function runSecondTier() {
    const files = part === undefined ? [] : filesOfPart(part);
    const name = part === undefined ? "verify" : `verify, part ${part} of ${PARTS}`;
    await phases.runTests(name, { projects: ["verify"], files, workers: 3, isShown: false });
  }

  function codeOf({ code, output }) {
    findings.push(code === 0 ? lastLine(output) : output.trimEnd());
    return code;
  }
});

function lastLine(text) {
  return text.trimEnd().split("\n").at(-1);
}
