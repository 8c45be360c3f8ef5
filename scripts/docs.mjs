// npm run docs: rewrites every part of the docs that comes from code. With --check it changes nothing and fails if a part is outdated.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { boundsList } from "./lib/bounds.mjs";
import { clientOperations } from "./lib/client-operations.mjs";
import { withCodeFromSources } from "./lib/code-blocks.mjs";
import { commandsList, operatingCommandsList } from "./lib/commands.mjs";
import { envExample, jobVariablesTable, variablesTable } from "./lib/configuration.mjs";
import { errorCodesTable } from "./lib/error-codes.mjs";
import { filesUnder } from "./lib/files.mjs";
import { consoleFilters, doubtFilterTable, jobFilterTable } from "./lib/filters.mjs";
import { licencesTables } from "./lib/licences.mjs";
import { linkFaults } from "./lib/links.mjs";
import { metricsTable } from "./lib/metrics.mjs";
import { describeApi } from "./lib/openapi.mjs";
import { partsList } from "./lib/parts-list.mjs";
import { postmanCollection } from "./lib/postman.mjs";
import { doubtsByFault, proofList } from "./lib/proof.mjs";
import { reasonsTable } from "./lib/reasons.mjs";
import { runScript } from "./lib/script.mjs";
import { withGeneratedSections } from "./lib/sections.mjs";
import { setUpToBuild } from "./lib/setup.mjs";
import { pagesWithoutRow } from "./lib/site-sidebar.mjs";

/** Generated files: `file`, and `produce`, which returns or resolves to its text. */
const generated = [
  { file: ".env.example", produce: envExample },
  { file: "src/edges/client/operations.ts", produce: clientOperations },
  { file: "console/parts/filters.ts", produce: consoleFilters },
  { file: "docs/openapi.json", produce: async () => json(await describeApi()) },
  { file: "docs/postman.json", produce: async () => json(await postmanCollection(await describeApi())) },
];

const foldersWithPages = [
  ".",
  "docs",
  "docs/providers",
  "jobs",
  "examples",
  "ops",
  "console",
  "lab",
  "lab/faults",
  "lab/fuzz",
  "lab/soak",
  "lab/bench",
  "lab/truth",
];

/** Generated sections by the name that pages use. */
const sections = {
  variables: variablesTable,
  "job-variables": jobVariablesTable,
  "error-codes": errorCodesTable,
  metrics: metricsTable,
  licences: licencesTables,
  proof: proofList,
  bounds: boundsList,
  reasons: reasonsTable,
  "doubts-by-fault": doubtsByFault,
  "job-filter": jobFilterTable,
  "doubt-filter": doubtFilterTable,
  commands: commandsList,
  "operating-commands": operatingCommandsList,
  verify: partsList,
};

await runScript(async () => {
  await setUpToBuild();
  const pages = foldersWithPages.flatMap(markdownIn);
  const outdated = [];
  for (const { file, produce } of [...pages.map(pageFrom), ...generated]) {
    const text = await produce();
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) outdated.push({ file, text });
  }
  if (!process.argv.includes("--check")) return rewrite(outdated);
  return report(outdated, [...pages, ...filesUnder("src").filter(isMarkdown)]);
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

function report(outdated, pages) {
  for (const { file } of outdated) console.error(`${file} is out of date: run \`npm run docs\``);
  const unlisted = pagesWithoutRow().map((file) => `${file} has no row in docs/README.md`);
  const faults = [...linkFaults(pages), ...unlisted];
  for (const line of faults) console.error(line);
  return outdated.length + faults.length === 0 ? 0 : 1;
}

function rewrite(outdated) {
  for (const { file, text } of outdated) {
    writeFileSync(file, text);
    console.log(`Rewrote ${file}`);
  }
}
