// npm run explore: sets up, then follows every order of steps. Passes arguments on: `npm run explore -- --quick`.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/explore/run.ts", ...process.argv.slice(2)]);
});
