// npm run evidence: sets up, then tries what client libraries do to an effect. Passes arguments on: `npm run evidence -- --quick`.
import { runEvidence } from "./lib/evidence.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpForEvidence } from "./lib/setup.mjs";

await runScript(async () => {
  const args = process.argv.slice(2);
  const isPart = ["--quick", "--list", "--help"].some((option) => args.includes(option));
  // Whoever chooses libraries needs only the servers of these.
  const withDatabases = !isPart && !args.some((arg) => arg.startsWith("--only"));
  await setUpForEvidence({ withDatabases, withRuntimes: !isPart });
  return await runEvidence(args);
});
