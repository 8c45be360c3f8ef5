// npm run compat: sets up, then tries the package in other people's projects. Passes arguments on.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

await runScript(async () => {
  const CHROMIUM_PATH = await setUpToTest();
  const args = ["--import", "tsx", "lab/compat/run.ts", ...process.argv.slice(2)];
  return await show(process.execPath, args, { CHROMIUM_PATH });
});
