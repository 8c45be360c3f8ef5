// npm run docs: rewrites all in the docs that comes from code. With --check it only looks, and fails on drift.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { withCodeFromSources } from "./lib/code-blocks.mjs";
import { envExample, variablesTable } from "./lib/configuration.mjs";
import { errorCodesTable } from "./lib/error-codes.mjs";
import { filesUnder } from "./lib/files.mjs";
import { licencesTable } from "./lib/licences.mjs";
import { brokenLinks } from "./lib/links.mjs";
import { metricsTable } from "./lib/metrics.mjs";
import { describeApi } from "./lib/openapi.mjs";
import { postmanCollection } from "./lib/postman.mjs";
import { runScript } from "./lib/script.mjs";
import { withGeneratedSections } from "./lib/sections.mjs";
import { setUpToBuild } from "./lib/setup.mjs";

/** Files that the built program makes whole: `file`, and `produce`, which returns or resolves to its text. */
const generated = [
  { file: ".env.example", produce: envExample },
  { file: "docs/openapi.json", produce: async () => json(await describeApi()) },
  { file: "docs/postman.json", produce: async () => json(await postmanCollection(await describeApi())) },
];

const foldersWithPages = [
  ".",
  "docs",
  "jobs",
  "examples",
  "ops",
  "console",
  "faults",
  "fuzz",
  "soak",
  "bench",
];

/** What makes the parts of pages that the built program writes, by the name that a page calls it. */
const sections = {
  variables: variablesTable,
  "error-codes": errorCodesTable,
  metrics: metricsTable,
  licences: licencesTable,
};

await runScript(async () => {
  await setUpToBuild();
  const pages = foldersWithPages.flatMap(markdownIn);
  const drifted = [];
  for (const { file, produce } of [...pages.map(pageFrom), ...generated]) {
    const text = await produce();
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) drifted.push({ file, text });
  }
  if (!process.argv.includes("--check")) return rewrite(drifted);
  return report(drifted, [...pages, ...filesUnder("src").filter(isMarkdown)]);
});

function markdownIn(folder) {
  return readdirSync(folder)
    .filter(isMarkdown)
    .map((name) => path.join(folder, name));
}

function isMarkdown(name) {
  return name.endsWith(".md");
}

function pageFrom(file) {
  return { file, produce: () => withGeneratedSections(withCodeFromSources(file), sections) };
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function report(drifted, pages) {
  for (const { file } of drifted) console.error(`${file} is not what the code says: run \`npm run docs\``);
  const broken = pages.flatMap((file) => brokenLinks(file).map((to) => `${file} links to ${to}: not there`));
  for (const line of broken) console.error(line);
  return drifted.length + broken.length === 0 ? 0 : 1;
}

function rewrite(drifted) {
  for (const { file, text } of drifted) {
    writeFileSync(file, text);
    console.log(`Rewrote ${file}`);
  }
}
