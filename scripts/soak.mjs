// npm run soak: sets up, then runs the soak. Passes arguments on: `npm run soak -- --quick`.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/soak/run.ts", ...process.argv.slice(2)]);
});
