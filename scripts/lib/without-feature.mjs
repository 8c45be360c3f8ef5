// Takes a feature out of a copy of the sources, and checks that the rest builds: a feature is a folder and a line in a list.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compiler } from "./build.mjs";
import { filesUnder } from "./files.mjs";
import { capture } from "./run.mjs";

const copied = ["src", "tsconfig.json", "tsconfig.build.json", "package.json"];

/** What still names a feature, although a seam should: this list only shrinks. */
const stillNamedIn = {
  notices: [
    "src/desk/notices/conditions.ts",
    "src/desk/notices/deliver-notices.ts",
    "src/desk/notices/episodes.ts",
    "src/desk/notices/notice-job.ts",
    "src/desk/notices/notice-operator.ts",
    "src/desk/notices/watch-notices.ts",
  ],
  flows: [
    "src/desk/create-producer.ts",
    "src/edges/cli/commands/submit.ts",
    "src/edges/client/client.ts",
    "src/edges/client/submit-flow.ts",
    "src/edges/http/routes/submit-flow.ts",
    "src/testing/run-handler.ts",
  ],
};

/** Each folder of features/. */
function featureNames() {
  return readdirSync("src/features", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** Takes each feature out in turn, two at a time. Returns a line for each thing that would be broken, and for each file that no longer names one. */
export async function faultsWithoutEach() {
  const waiting = featureNames();
  const faults = [];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      faults.push(...(await faultsWithout(name)));
  };
  await Promise.all([lane(), lane()]);
  return faults;
}

async function faultsWithout(name) {
  const faults = await brokenWithout(name);
  const known = stillNamedIn[name] ?? [];
  return [
    ...faults.filter(({ file }) => !known.includes(file)).map(({ line }) => `without ${name}: ${line}`),
    ...known
      .filter((file) => !faults.some((fault) => fault.file === file))
      .map((file) => `${file} no longer names ${name}: remove it from scripts/lib/without-feature.mjs`),
  ];
}

async function brokenWithout(name) {
  const copy = mkdtempSync(path.join(tmpdir(), "holdfast-without-"));
  try {
    for (const entry of copied) cpSync(entry, path.join(copy, entry), { recursive: true });
    symlinkSync(path.resolve("node_modules"), path.join(copy, "node_modules"));
    takeOut(copy, name);
    return [...(await typeErrors(copy)), ...(await luaFaults(copy))];
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Its folder, and the lines that name it where features are listed: its values, its declarations. */
function takeOut(copy, name) {
  const features = path.join(copy, "src/features");
  rmSync(path.join(features, name), { recursive: true });
  const lists = filesUnder(features).filter((file) => path.dirname(file) === features);
  for (const file of lists) {
    const lines = readFileSync(file, "utf8").split("\n");
    const isIts = (line) => line.includes(`./${name}/`);
    const values = lines
      .filter(isIts)
      .flatMap((line) => /^import \{ (.+) \}/.exec(line)?.[1].split(", ") ?? []);
    const rest = lines.filter((line) => !isIts(line)).join("\n");
    writeFileSync(
      file,
      values.reduce((text, value) => text.replace(new RegExp(`\\b${value}\\b,?\\s*`, "g"), ""), rest),
    );
  }
}

async function typeErrors(copy) {
  const args = ["-p", path.join(copy, "tsconfig.build.json"), "--noEmit", "--pretty", "false"];
  const { output } = await capture(process.execPath, [compiler, ...args]);
  return [...output.matchAll(/^.*?\b(src\/\S+?)\(\d+,\d+\): error .*/gm)].map(([line, file]) => ({
    file,
    line: line.slice(line.indexOf(file)),
  }));
}

/** Lines of `scripts/lua.mjs`, which begin with the file. What only the feature used is no fault. */
async function luaFaults(copy) {
  const { output } = await capture(process.execPath, [
    "--import",
    "tsx",
    "scripts/lua.mjs",
    path.join(copy, "src"),
  ]);
  return output
    .split("\n")
    .filter((line) => line !== "" && !line.includes("nothing uses"))
    .map((line) => ({ file: `src/${/^[\w./-]+/.exec(line)?.[0]}`, line: `src/${line}` }));
}
