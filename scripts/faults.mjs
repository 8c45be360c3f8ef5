// npm run faults: all set-up, then the fault laboratory. Arguments go to it: `npm run faults -- --quick`.
import { runFaults } from "./lib/faults.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await runFaults(process.argv.slice(2));
});
