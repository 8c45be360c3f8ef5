// npm start: sets up, then runs `holdfast up` in this process, so that signals reach it directly.
import path from "node:path";
import { runScript } from "./lib/script.mjs";
import { setUpToRun } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpToRun();
  process.argv = [process.execPath, path.resolve("bin/holdfast"), "up", ...process.argv.slice(2)];
  const { main } = await import("../dist/edges/cli/main.js");
  await main(process.argv);
});
