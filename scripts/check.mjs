// npm run check: the gate that every change must pass.
import { passGate } from "./lib/gate.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpLibraries, setUpToBuild } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpToBuild();
  await setUpLibraries({ withRuntimes: false });
  return (await passGate()) ? 0 : 1;
});
