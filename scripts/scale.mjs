// npm run scale: sets up, then measures what grows with masters, partitions and processes.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/bench/scale.ts", ...process.argv.slice(2)]);
});
