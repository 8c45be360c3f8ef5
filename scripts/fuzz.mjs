// npm run fuzz: sets up, then runs the fuzzing. Passes arguments on: `npm run fuzz -- --quick`.
import { runFuzz } from "./lib/fuzz.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await runFuzz(process.argv.slice(2));
});
