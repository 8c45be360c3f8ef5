// Finds broken links in the docs.
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

const link = /\]\((?!https?:|mailto:)(?<target>[^)#\s]*)(?:#(?<anchor>[^)\s]*))?\)/g;
const codeBlock = /^(`{3,}).*\n[\s\S]*?^\1$/gm;
const heading = /^#+ (?<title>.*)$/gm;

/** The links of Markdown files whose target or heading does not exist, one line each. */
export function linkFaults(files) {
  return files.flatMap((file) =>
    brokenLinks(file).map((to) => `${file} links to ${to}, which does not exist`),
  );
}

function brokenLinks(file) {
  const text = readFileSync(file, "utf8").replace(codeBlock, "");
  return [...text.matchAll(link)]
    .map(({ groups }) => groups)
    .filter(({ target, anchor }) => !leadsSomewhere(file, target, anchor))
    .map(({ target, anchor }) => (anchor === undefined ? target : `${target}#${anchor}`));
}

function leadsSomewhere(file, target, anchor) {
  const to = target === "" ? file : path.join(path.dirname(file), target);
  if (!existsSync(to)) return false;
  if (anchor === undefined || statSync(to).isDirectory() || !to.endsWith(".md")) return true;
  const titles = readFileSync(to, "utf8").replace(codeBlock, "").matchAll(heading);
  return [...titles].some(({ groups: { title } }) => slug(title) === anchor);
}

/** The anchor of a heading. */
export function slug(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}
