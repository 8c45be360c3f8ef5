// npm run explore: sets up, then follows every order of steps. Passes arguments on: `npm run explore -- --quick`.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  const given = process.argv.slice(2);
  const noting = given.includes("--mutants") ? ["--import", "./lab/explore/mutants/noting.ts"] : [];
  return await show(process.execPath, ["--import", "tsx", ...noting, "lab/explore/run.ts", ...given]);
});
