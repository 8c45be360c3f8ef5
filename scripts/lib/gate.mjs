// The gate that every change must pass.
import { excesses } from "./bounds.mjs";
import { compiler } from "./build.mjs";
import { bullmqNamesOutside } from "./bullmq-names.mjs";
import { strayRequires } from "./house.mjs";
import { supplyFaults } from "./licences.mjs";
import { startStopWatch } from "./progress.mjs";
import { packageFaults } from "./publishing.mjs";
import { brokenRules, testsThatDoNotRun } from "./rules.mjs";
import { capture } from "./run.mjs";
import { faultsWithoutEach } from "./without-feature.mjs";
import { oldWordsIn } from "./words.mjs";

const atOnce = 2;
const caches = "node_modules/.cache/holdfast";

/** `isSlow`: not for every change. */
const checks = [
  { name: "types", run: () => checkTypes(".", "types") },
  { name: "types of the console", run: () => checkTypes("console", "console-types") },
  { name: "types of the table of truth", run: () => checkTypes("lab/truth", "truth-types") },
  {
    name: "imports",
    run: () => tool("depcruise", "src", "console", "jobs", "dev", "holdfast.config.ts", "--config"),
  },
  { name: "requires of Lua", run: () => faultsOf(strayRequires()) },
  { name: "Lua", run: () => capture(process.execPath, ["--import", "tsx", "scripts/lua.mjs"]) },
  {
    name: "the rest without each feature",
    isSlow: true,
    run: async () => faultsOf(await faultsWithoutEach()),
  },
  { name: "dead code", run: () => tool("knip") },
  { name: "format and lint", run: () => tool("biome", "ci", "--colors=off", "--error-on-warnings", ".") },
  { name: "rules of sources and tests", run: () => faultsOf(brokenRules()) },
  { name: "tests that nothing runs", run: async () => faultsOf(await testsThatDoNotRun()) },
  { name: "docs", run: () => capture(process.execPath, ["scripts/docs.mjs", "--check"]) },
  {
    name: "docstrings",
    isSlow: true,
    run: () => capture(process.execPath, ["scripts/site.mjs", "--check"]),
  },
  { name: "OpenAPI", run: lintOpenApi },
  { name: "size", run: () => faultsOf(excesses()) },
  { name: "words", run: () => faultsOf(oldWordsIn(["src", "docs", "ARCHITECTURE.md", "README.md"])) },
  { name: "BullMQ's names in src/core/bullmq alone", run: () => faultsOf(bullmqNamesOutside()) },
  { name: "licences and install scripts", run: checkSupply },
  { name: "package", isSlow: true, run: async () => faultsOf(await packageFaults()) },
];

export const checkNames = checks.map(({ name }) => name);

/** Runs every check, or the quick ones, and prints a line for each, and the output of a failing one. Returns whether all passed. */
export async function passGate({ isQuick }) {
  const waiting = checks.filter(({ isSlow }) => !(isQuick && isSlow));
  const passed = [];
  const runNext = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      passed.push(await passes(check));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runNext));
  return passed.every(Boolean);
}

async function passes({ name, run }) {
  const stopWatch = startStopWatch();
  const { code, output } = await run();
  console.log(`${code === 0 ? "✓" : "✗"} ${name} (${stopWatch()})`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

function tool(name, ...args) {
  return capture(`node_modules/.bin/${name}`, args);
}

/** Its warnings count as errors. */
function lintOpenApi() {
  const quiet = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  return capture(
    "node_modules/.bin/redocly",
    // `/jobs/acts/{id}` beside `/jobs/{id}/status`: no job and no act has the other's word as its id.
    ["lint", "docs/openapi.json", "--extends=recommended-strict", "--skip-rule=no-ambiguous-paths"],
    quiet,
  );
}

function checkTypes(project, cache) {
  const incremental = ["--incremental", "--tsBuildInfoFile", `${caches}/${cache}.tsbuildinfo`];
  return capture(process.execPath, [compiler, "-p", project, "--noEmit", ...incremental]);
}

/** Holdfast's dependencies must be free to use, and must work without running anything at install. */
function checkSupply() {
  return faultsOf(supplyFaults());
}

function faultsOf(faults) {
  return { code: faults.length === 0 ? 0 : 1, output: faults.join("\n") };
}
