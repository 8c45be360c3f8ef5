// Takes a feature out of a copy of the sources, and checks that the rest builds: a feature is a folder and a line in a list.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compiler } from "./build.mjs";
import { filesUnder } from "./files.mjs";
import { capture } from "./run.mjs";

const list = "src/features/index.ts";
const copied = ["src", "tsconfig.json", "tsconfig.build.json", "package.json"];

/** The features that can be taken out, and the files that still name each of them. */
const stillNamedIn = {
  retention: ["src/core/job/define-job.ts", "src/index.ts"],
  lanes: [
    "src/core/job/define-job.ts",
    "src/core/submit/validate.ts",
    "src/core/bullmq/add/place-job.lua",
    "src/core/bullmq/cancel.lua",
    "src/core/bullmq/retry-failed-job.lua",
  ],
  tags: [
    "src/core/submit/submission.ts",
    "src/core/effect/ledger/delete-ended.lua",
    "src/desk/jobs/job-filter.ts",
  ],
  history: [
    "src/desk/acts/run-act.ts",
    "src/desk/operator.ts",
    "src/desk/overview/overview.ts",
    "src/desk/overview/type-overview.ts",
    "src/desk/queues/queues.ts",
    "src/edges/cli/commands/history.ts",
    "src/edges/client/answers.ts",
    "src/edges/http/routes/history.ts",
  ],
};

/** One of them, at random. */
export function anyFeature() {
  const names = Object.keys(stillNamedIn);
  return names[Math.floor(Math.random() * names.length)];
}

/** Returns a line for each thing that would be broken without a feature, and for each file that no longer names it. */
export async function faultsWithout(name) {
  const faults = await brokenWithout(name);
  const known = stillNamedIn[name];
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
    return [...(await typeErrors(copy)), ...brokenIncludes(copy)];
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function takeOut(copy, name) {
  rmSync(path.join(copy, "src/features", name), { recursive: true });
  const file = path.join(copy, list);
  const text = readFileSync(file, "utf8");
  const [line, value] = new RegExp(`^import \\{ (\\w+) \\} from "\\./${name}/feature\\.ts";\n`, "m").exec(
    text,
  );
  writeFileSync(file, text.replace(line, "").replace(new RegExp(`\\b${value}\\b(, )?(?=[^;]*\\];)`), ""));
}

async function typeErrors(copy) {
  const args = ["-p", path.join(copy, "tsconfig.build.json"), "--noEmit", "--pretty", "false"];
  const { output } = await capture(process.execPath, [compiler, ...args]);
  return [...output.matchAll(/^.*?\b(src\/\S+?)\(\d+,\d+\): error .*/gm)].map(([line, file]) => ({
    file,
    line: line.slice(line.indexOf(file)),
  }));
}

function brokenIncludes(copy) {
  return filesUnder(path.join(copy, "src"))
    .filter((file) => file.endsWith(".lua"))
    .flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/^-- @include (\S+)$/gm)]
        .filter(([, name]) => !existsSync(path.join(path.dirname(file), name)))
        .map(([include]) => ({
          file: path.relative(copy, file),
          line: `${path.relative(copy, file)}: ${include}`,
        })),
    );
}
