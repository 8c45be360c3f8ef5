// npm test: sets up, then runs the gate and the tests that every change needs. `npm run verify` runs the others, too.
// Arguments go to Vitest, which is then all that runs, on every test: `npm test -- src/core/effect`.
import { runFirstTier, startPhases } from "./lib/phases.mjs";
import { runScript } from "./lib/script.mjs";

const chosen = process.argv.slice(2);

await runScript(async () => {
  const phases = await startPhases();
  if (chosen.length > 0) await phases.runVitest("tests", chosen);
  else await runFirstTier(phases, { isQuick: true });
  return phases.end();
});
