// npm run site: builds the documentation site into dist-site/.
import { runScript } from "./lib/script.mjs";
import { setUpToBuild } from "./lib/setup.mjs";
import { buildSite } from "./lib/site.mjs";

await runScript(async () => {
  await setUpToBuild();
  const faults = await buildSite();
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) return 1;
  console.log("Built dist-site/. To read it: npx vite preview --outDir dist-site");
});
