// The documentation site: pages of the repository and the reference from docstrings, built by VitePress.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeApiPages } from "./api-pages.mjs";
import { withLinks } from "./pages.mjs";
import { capture } from "./run.mjs";
import { pathOnSite, siteFiles, siteLink } from "./site-pages.mjs";

/** What `site/.vitepress/config.mjs` builds, written anew each time. */
const folder = "site/pages";

/** Builds the site. Returns what is wrong with it, one line each: links of pages and of docstrings that lead nowhere, too. */
export async function buildSite() {
  rmSync(folder, { recursive: true, force: true });
  for (const file of siteFiles) {
    if (file.endsWith(".md")) write(pathOnSite(file), textOnSite(file));
    else copy(file);
  }
  const faults = await writeApiPages(path.join(folder, "api"));
  const { code, output } = await capture("node_modules/.bin/vitepress", ["build", "site"]);
  return code === 0 ? faults : [...faults, output];
}

/** Vite bundles pictures whose path begins with a dot. */
function textOnSite(page) {
  const text = withLinks(page, (target, isImage) => siteLink(page, target, isImage));
  return text.replace(/(?<=\b(?:src|srcset)=")(?!https?:)/g, "./");
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
