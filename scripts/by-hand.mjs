// npm run by-hand: sets up, then runs the service that the tour breaks.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToRun } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpToRun();
  return await show(process.execPath, ["--import", "tsx", "examples/by-hand/run.ts"]);
});
