// npm run verify: `npm test`, then all other tests, and short runs of the fault laboratory, the fuzzing and the table of truth.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureEvidence } from "./lib/evidence.mjs";
import { runFaults } from "./lib/faults.mjs";
import { captureFuzz } from "./lib/fuzz.mjs";
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { runScript } from "./lib/script.mjs";

/** Not those of the docs, which are taken anew only on purpose. */
const withPictures = { CONSOLE_PICTURES: join(tmpdir(), "holdfast-pictures") };

await runScript(async () => {
  const phases = await startPhases();
  await runFirstTier(phases);
  const findings = [];
  // Side by side, because they mostly wait.
  await Promise.all([
    phases.runVitest("verify", ["--project=verify", "--maxWorkers=3"], { isShown: false, env: withPictures }),
    phases.run("faults", () => runFaults(["--quick"])),
    phases.run("fuzz", async () => codeOf(await captureFuzz(["--quick"]))),
    phases.run("evidence", async () => codeOf(await captureEvidence(["--quick"]))),
  ]);
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
