// npm run tour: sets up, then breaks the service by hand and Holdfast in the same ways. `npm run tour -- --only lost-reply` is one break.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/tour/run.ts", ...process.argv.slice(2)]);
});
