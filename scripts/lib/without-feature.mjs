// Takes a feature out of a copy of the sources, and checks that the rest builds: a feature is a folder and a line in a list.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compiler } from "./build.mjs";
import { filesUnder } from "./files.mjs";
import { capture } from "./run.mjs";

const copied = ["src", "tsconfig.json", "tsconfig.build.json", "package.json"];

/** Each folder of features/. */
function featureNames() {
  return readdirSync("src/features", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** What the compiler knows of the sources that it has checked: without a feature, it checks again only what depends on what changed. */
const checkedFile = "checked.tsbuildinfo";

/** Takes each feature out in turn, two at a time. Returns a line for each thing that would be broken. */
export async function faultsWithoutEach() {
  const whole = copySources();
  try {
    const faults = await typeErrors(whole);
    if (faults.length > 0) return faults;
    const waiting = featureNames();
    const lane = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
        faults.push(...(await brokenWithout(name, whole)).map((line) => `without ${name}: ${line}`));
    };
    await Promise.all([lane(), lane()]);
    return faults;
  } finally {
    rmSync(whole, { recursive: true });
  }
}

async function brokenWithout(name, whole) {
  const copy = copySources();
  try {
    cpSync(path.join(whole, checkedFile), path.join(copy, checkedFile));
    takeOut(copy, name);
    return [...(await typeErrors(copy)), ...(await luaFaults(copy))];
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Beside the other copies, so that the compiler's paths are right in each. */
function copySources() {
  const copy = mkdtempSync(path.join(tmpdir(), "holdfast-without-"));
  for (const entry of copied)
    cpSync(entry, path.join(copy, entry), { recursive: true, preserveTimestamps: true });
  symlinkSync(path.resolve("node_modules"), path.join(copy, "node_modules"));
  return copy;
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
  const incremental = ["--incremental", "--tsBuildInfoFile", path.join(copy, checkedFile)];
  const args = [
    "-p",
    path.join(copy, "tsconfig.build.json"),
    "--noEmit",
    "--pretty",
    "false",
    ...incremental,
  ];
  const { output } = await capture(process.execPath, [compiler, ...args]);
  return [...output.matchAll(/^.*?\b(src\/\S+\(\d+,\d+\): error .*)/gm)].map(([, line]) => line);
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
    .map((line) => `src/${line}`);
}
