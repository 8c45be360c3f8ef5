// npm run runners: tests holdfast/testing in every test runner, Jest included, which it installs into a folder of its own.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { step } from "./lib/progress.mjs";
import { must, show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

const folder = path.resolve("node_modules/.cache/holdfast/jest");

await runScript(async () => {
  await setUpWithServer();
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{ "private": true }\n');
  const install = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "jest@30"];
  await step("Installing Jest", () => must("npm", install, "Jest cannot be installed: see above."));
  const args = ["node_modules/vitest/vitest.mjs", "run", "test/verify/package/test-runners.test.ts"];
  return await show(process.execPath, args, { JEST_FOLDER: path.join(folder, "node_modules") });
});
