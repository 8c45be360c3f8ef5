// The bounds that the gate keeps, and the sentences of CONTRIBUTING.md that state them.
import { readdirSync, readFileSync } from "node:fs";
import { filesUnder } from "./files.mjs";
import { crowdedFolders, longFunctions } from "./house.mjs";
import { wholeReports } from "./site-pages.mjs";

const bounds = { fileLines: 450, functionLines: 60, siblings: 25, reportLines: 80, pageWords: 2_500 };

/** The pages with another bound: a tutorial that is read once, and a list that grows with each release. */
const otherPages = { "docs/tour.md": 3_500, "CHANGELOG.md": Number.POSITIVE_INFINITY };

/** Pages that a command writes. */
const reports = ["evidence", "HOSTILE-INPUT", "PERFORMANCE", "RELIABILITY", "SCALE", "SOAK"];

/** For CONTRIBUTING.md. */
export function boundsList() {
  return [
    `- A file of TypeScript in \`src/\` and \`console/\` has at most ${bounds.fileLines} lines; a function of TypeScript in \`src/\`, and of \`scripts/\`, at most ${bounds.functionLines}, most far fewer; a folder`,
    `  of \`src/\` has at most ${bounds.siblings} source files. When one grows, a concept lacks a name. Tests have no such bounds.`,
    `- A report that a command writes is a summary of at most ${bounds.reportLines} lines: ${reports.map((name) => `\`docs/${name}.md\``).join(", ")}.`,
    `- A page has at most ${number(bounds.pageWords)} words, as \`wc -w\` counts them. \`docs/tour.md\` may have ${number(otherPages["docs/tour.md"])}; \`CHANGELOG.md\` has no bound.`,
  ].join("\n");
}

/** What exceeds a bound, one line each. */
export function excesses() {
  return [
    ...longFiles(),
    ...longFunctions([...typeScriptOf(["src"]), ...filesUnder("scripts")], bounds.functionLines),
    ...crowdedFolders(bounds.siblings),
    ...longReports(),
    ...longPages(),
  ];
}

function longFiles() {
  return tooLong(typeScriptOf(["src", "console"]), bounds.fileLines);
}

function typeScriptOf(folders) {
  return folders.flatMap(filesUnder).filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".test.ts"));
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

function longPages() {
  const made = ["node_modules", "build", "dist", "dist-site", ".git", ".holdfast", ".cache"];
  const folders = readdirSync(".", { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !made.includes(entry.name))
    .map(({ name }) => name);
  const pages = [...readdirSync("."), ...folders.flatMap(filesUnder)].filter(
    (file) =>
      file.endsWith(".md") && !/node_modules|^site\/pages/.test(file) && !file.startsWith(wholeReports),
  );
  return pages.flatMap((page) => {
    const words = readFileSync(page, "utf8").split(/\s+/).filter(Boolean).length;
    const most = otherPages[page] ?? bounds.pageWords;
    return words > most ? [`${page} has ${number(words)} words; ${number(most)} are the most`] : [];
  });
}

function number(value) {
  return new Intl.NumberFormat("en").format(value);
}
