// npm run check: the gate that every change must pass. `-- --quick` leaves out the three slowest checks, as `npm test` does.
import { passGate } from "./lib/gate.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpLibraries, setUpToBuild } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpToBuild();
  await setUpLibraries({ withRuntimes: false });
  return (await passGate({ isQuick: process.argv.includes("--quick") })) ? 0 : 1;
});
