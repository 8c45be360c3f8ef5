// npm run site: builds the documentation site into dist-site/. With --check it only looks for links of docstrings that lead nowhere.
import { runScript } from "./lib/script.mjs";
import { setUpToBuild } from "./lib/setup.mjs";
import { buildSite, writeSitePages } from "./lib/site.mjs";

await runScript(async () => {
  await setUpToBuild();
  const isCheck = process.argv.includes("--check");
  const faults = await writeSitePages();
  if (!isCheck && faults.length === 0) faults.push(...(await buildSite()));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) return 1;
  if (!isCheck) console.log("Built dist-site/. To read it: npx vite preview --outDir dist-site");
});
