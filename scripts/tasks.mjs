// npm run tasks: sets up, then does eighteen tasks of a bad night in the console and in a terminal.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToTest } from "./lib/setup.mjs";

await runScript(async () => {
  const CHROMIUM_PATH = await setUpToTest();
  const args = ["--import", "tsx", "lab/bench/tasks.ts", ...process.argv.slice(2)];
  return await show(process.execPath, args, { CHROMIUM_PATH });
});
