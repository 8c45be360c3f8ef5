// npm run flow: sets up, then measures queues that are shared fairly.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/bench/flow.ts", ...process.argv.slice(2)]);
});
