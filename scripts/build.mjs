// npm run build: builds dist/ from scratch.
import { rebuild } from "./lib/build.mjs";
import { step } from "./lib/progress.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpDependencies } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpDependencies();
  await step("Building", rebuild);
});
