// npm run faults: sets up, then runs the fault laboratory. Passes arguments on: `npm run faults -- --quick`.
import { runFaults } from "./lib/faults.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpForFaults } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpForFaults();
  return await runFaults(process.argv.slice(2));
});
