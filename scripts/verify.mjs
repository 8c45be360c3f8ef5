// npm run verify: all that tries a change, the same each time: `npm test` with the whole gate, the slow tests, and the short forms of the
// fuzzer, the table of truth, the tour and the fault laboratory. Nothing runs twice.
import { captureEvidence } from "./lib/evidence.mjs";
import { runFaults } from "./lib/faults.mjs";
import { captureFuzz } from "./lib/fuzz.mjs";
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";

/** The whole forms draw another each time. */
const seed = ["--seed", "1"];

await runScript(async () => {
  const phases = await startPhases();
  await runFirstTier(phases, { isQuick: false });
  const findings = [];
  // One after the other: they would wait for each other, until deadlines of two seconds pass.
  await phases.runTests("slow tests", ["verify", "proofs"]);
  await phases.run("fuzz", async () => codeOf(await captureFuzz(["--quick", ...seed])));
  await phases.run("evidence", async () => codeOf(await captureEvidence(["--quick"])));
  await phases.run("tour", () => show(process.execPath, ["scripts/tour.mjs", "--check"]));
  await phases.run("faults", () => runFaults(["--quick", ...seed]));
  // After the faults' results, where people look.
  for (const finding of findings) console.log(finding);
  return phases.end();

  function codeOf({ code, output }) {
    findings.push(code === 0 ? lastLine(output) : output.trimEnd());
    return code;
  }
});

function lastLine(text) {
  return text.trimEnd().split("\n").at(-1);
}
