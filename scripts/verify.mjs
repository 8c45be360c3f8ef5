// npm run verify: all that tries a change, the same each time: `npm test` with the whole gate, then the second tier. Nothing runs twice.
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { runScript } from "./lib/script.mjs";
import { secondTier } from "./lib/second-tier.mjs";

await runScript(async () => {
  const phases = await startPhases();
  await runFirstTier(phases, { isQuick: false });
  const findings = [];
  const say = (finding) => findings.push(finding);
  // One after the other: they would wait for each other, until deadlines of two seconds pass.
  for (const { run } of secondTier) await run({ ...phases, say });
  // After the faults' results, where people look.
  for (const finding of findings) console.log(finding);
  return phases.end();
});
