// The bounds that the gate keeps, and the sentences of CONTRIBUTING.md that state them.
import { readFileSync } from "node:fs";
import { filesUnder } from "./files.mjs";
import { crowdedFolders, longFunctions } from "./house.mjs";

const bounds = { fileLines: 450, functionLines: 60, siblings: 25, reportLines: 80 };

/** Pages that a command writes. */
const reports = ["evidence", "HOSTILE-INPUT", "PERFORMANCE", "RELIABILITY", "SCALE", "SOAK"];

/** For CONTRIBUTING.md. */
export function boundsList() {
  return [
    `- A source file has at most ${bounds.fileLines} lines, a function at most ${bounds.functionLines}, most far fewer; a folder has at most ${bounds.siblings} source files. When`,
    "  one grows, a concept lacks a name.",
    `- A report that a command writes is a summary of at most ${bounds.reportLines} lines: ${reports.map((name) => `\`docs/${name}.md\``).join(", ")}.`,
  ].join("\n");
}

/** What exceeds a bound, one line each. */
export function excesses() {
  return [
    ...longFiles(),
    ...longFunctions(bounds.functionLines),
    ...crowdedFolders(bounds.siblings),
    ...longReports(),
  ];
}

function longFiles() {
  const files = ["src", "console"].flatMap(filesUnder).filter((file) => /\.tsx?$/.test(file));
  return tooLong(files, bounds.fileLines);
}

function longReports() {
  return tooLong(
    reports.map((name) => `docs/${name}.md`),
    bounds.reportLines,
  );
}

function tooLong(files, most) {
  return files
    .map((file) => ({ file, lines: readFileSync(file, "utf8").trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > most)
    .map(({ file, lines }) => `${file} has ${lines} lines; ${most} are the most`);
}
