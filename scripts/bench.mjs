// npm run bench: sets up, then runs the benchmarks. Passes arguments on: `npm run bench -- --quick`.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpForBench } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpForBench();
  return await show(process.execPath, ["--import", "tsx", "lab/bench/run.ts", ...process.argv.slice(2)]);
});
