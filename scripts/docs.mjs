// npm run docs: rewrites all in the docs that comes from code. With --check it only looks, and fails on drift.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { withCodeFromSources } from "./lib/code-blocks.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToBuild } from "./lib/setup.mjs";

/** Files that the built program makes whole: `file`, and `produce`, which returns or resolves to its text. */
const generated = [];

await runScript(async () => {
  await setUpToBuild();
  const drifted = [];
  for (const { file, produce } of [...pagesIn("."), ...pagesIn("docs"), ...generated]) {
    const text = await produce();
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) drifted.push({ file, text });
  }
  return process.argv.includes("--check") ? report(drifted) : rewrite(drifted);
});

function pagesIn(folder) {
  const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
  return pages
    .map((name) => path.join(folder, name))
    .map((file) => ({ file, produce: () => withCodeFromSources(file) }));
}

function report(drifted) {
  for (const { file } of drifted) console.error(`${file} is not what the code says: run \`npm run docs\``);
  return drifted.length === 0 ? 0 : 1;
}

function rewrite(drifted) {
  for (const { file, text } of drifted) {
    writeFileSync(file, text);
    console.log(`Rewrote ${file}`);
  }
}
