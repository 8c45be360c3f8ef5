// The documentation site: pages of the repository and the reference from docstrings, built by VitePress.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeApiPages } from "./api-pages.mjs";
import { landingPage } from "./landing.mjs";
import { linkFaults } from "./links.mjs";
import { withLinks } from "./pages.mjs";
import { capture } from "./run.mjs";
import { withSequences } from "./sequence.mjs";
import { pathOnSite, siteFiles, siteLink } from "./site-pages.mjs";

/** What `site/.vitepress/config.mjs` builds, written anew each time. */
const folder = "site/pages";

/** Writes the pages. Returns which of their links, and of the docstrings', lead nowhere, one line each. */
export async function writeSitePages() {
  rmSync(folder, { recursive: true, force: true });
  const pages = siteFiles.filter((file) => file.endsWith(".md"));
  for (const page of pages) write(pathOnSite(page), textOnSite(page));
  write("index.md", await landingPage());
  for (const file of siteFiles.filter((file) => !file.endsWith(".md"))) copy(file);
  return [...linkFaults(pages), ...(await writeApiPages(path.join(folder, "api")))];
}

/** Builds the site from its pages. Returns what is wrong with them. */
export async function buildSite() {
  const { code, output } = await capture("node_modules/.bin/vitepress", ["build", "site"]);
  return code === 0 ? [] : [output];
}

/** Vite bundles pictures whose path begins with a dot. */
function textOnSite(page) {
  const text = withLinks(page, (target, isImage) => siteLink(page, target, isImage));
  return withSequences(text.replace(/(?<=\b(?:src|srcset)=")(?!https?:)/g, "./"));
}

function write(file, text) {
  const target = path.join(folder, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** Pictures are bundled from beside their page; what pages link to is public. */
function copy(file) {
  cpSync(file, path.join(folder, file.endsWith(".json") ? "public" : "", file));
}
