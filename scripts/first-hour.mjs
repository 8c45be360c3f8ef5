// npm run first-hour: sets up, then lets a newcomer's first hour pass with the packed package. Passes arguments on.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

await runScript(async () => {
  const CHROMIUM_PATH = await setUpToTest();
  const args = ["--import", "tsx", "lab/compat/first-hour.ts", ...process.argv.slice(2)];
  return await show(process.execPath, args, { CHROMIUM_PATH });
});
