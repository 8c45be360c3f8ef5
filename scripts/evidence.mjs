// npm run evidence: sets up, then tries what client libraries do to an effect. Passes arguments on: `npm run evidence -- --quick`.
import { runEvidence } from "./lib/evidence.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpForEvidence } from "./lib/setup.mjs";

await runScript(async () => {
  const args = process.argv.slice(2);
  await setUpForEvidence({ isQuick: args.includes("--quick") });
  return await runEvidence(args);
});
