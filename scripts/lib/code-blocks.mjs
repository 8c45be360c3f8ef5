// Copies code from source files into Markdown, so that the docs show code that the tests run.
//
// `<!-- from: examples/producer.ts -->` on its own line names the source of the next block;
// `<!-- from: examples/producer.ts#submit -->` takes only the part between `// #region submit` and
// `// #endregion`, or the function `submit`. Regions do not nest. `<!-- from: examples/nestjs/src/jobs.ts as CommonJS -->` takes the endings from its imports, as where
// TypeScript compiles to CommonJS; `import()` keeps its own.
import { existsSync, readFileSync } from "node:fs";
import { Failure } from "./script.mjs";

const sourced =
  /^<!-- from: (?<source>\S+)(?<style> as CommonJS)? -->$(?<block>\n+(?<fence>`{3,})(?<language>.*)\n(?:[\s\S]*?\n)??\k<fence>$)?/gm;
const marker = /^\s*(?:\/\/|#) #(?<kind>region|endregion)\b\s*(?<name>\S*)/;

/** The text of a Markdown file with current code. */
export function withCodeFromSources(markdownFile) {
  return readFileSync(markdownFile, "utf8").replace(sourced, (comment, ...rest) => {
    const { source, style = "", block, fence, language } = rest.at(-1);
    if (block === undefined) throw new Failure(`${markdownFile}: no code block follows ${comment}`);
    const code = codeOf(source, markdownFile);
    const text = style === "" ? code : code.replace(/^(import .* from "\..*)\.js"/gm, '$1"');
    return `<!-- from: ${source}${style} -->\n${fence}${language}\n${text}\n${fence}`;
  });
}

function codeOf(source, markdownFile) {
  const [file, region] = source.split("#");
  if (!existsSync(file)) throw new Failure(`${markdownFile}: there is no file ${file}`);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const wanted =
    region === undefined ? lines : (linesOfRegion(lines, region) ?? linesOfFunction(lines, region));
  if (wanted === undefined) throw new Failure(`${markdownFile}: ${file} has no region ${region}`);
  return withoutCommonIndent(wanted.filter((line) => !marker.test(line))).join("\n");
}

function linesOfRegion(lines, region) {
  const markers = lines.map((line) => marker.exec(line)?.groups);
  const start = markers.findIndex((found) => found?.kind === "region" && found.name === region);
  const end = markers.findIndex((found, at) => at > start && found?.kind === "endregion");
  return start === -1 || end === -1 ? undefined : lines.slice(start + 1, end);
}

/** A function of the file's own level, in TypeScript or Lua, without what stands above it. */
function linesOfFunction(lines, name) {
  const head = new RegExp(String.raw`^(?:export |async |local )*function ${name}\(`);
  const start = lines.findIndex((line) => head.test(line));
  const end = lines.findIndex((line, at) => at > start && /^(?:\}|end)$/.test(line));
  return start === -1 || end === -1 ? undefined : lines.slice(start, end + 1);
}

function withoutCommonIndent(lines) {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const common = Math.min(...indents);
  return lines.map((line) => line.slice(common));
}
