// npm pack and npm publish: `before` builds and writes the pages as they are packed, `after` puts them back.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { packagedPage, pages } from "./lib/pages.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToBuild } from "./lib/setup.mjs";

const originals = "node_modules/.cache/holdfast/pages";

await runScript(async () => {
  putBack(); // an interrupted run left them
  if (process.argv[2] === "after") return;
  await setUpToBuild();
  mkdirSync(originals, { recursive: true });
  for (const page of pages) {
    writeFileSync(path.join(originals, page), readFileSync(page));
    writeFileSync(page, packagedPage(page));
  }
});

function putBack() {
  for (const page of pages) {
    const original = path.join(originals, page);
    if (existsSync(original)) writeFileSync(page, readFileSync(original));
  }
  rmSync(originals, { recursive: true, force: true });
}
