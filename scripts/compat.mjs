// npm run compat: sets up, then tries the package in other people's projects. Passes arguments on.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "compat/run.ts", ...process.argv.slice(2)]);
});
