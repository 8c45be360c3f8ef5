// npm run faults: sets up, then runs the fault laboratory. Passes arguments on: `npm run faults -- --quick`.
import { runFaults } from "./lib/faults.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await runFaults(process.argv.slice(2));
});
