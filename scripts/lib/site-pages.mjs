// Which files the site has, and how it links to them.
import path from "node:path";
import { filesUnder } from "./files.mjs";
import { repositoryUrl } from "./pages.mjs";

/** Where commands write their reports whole; git ignores it. */
export const wholeReports = "docs/whole";

/** What else the pages link to is linked in the repository. */
export const siteFiles = [
  "README.md",
  "ARCHITECTURE.md",
  "GLOSSARY.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "examples/README.md",
  ...filesUnder("docs"),
];

/** Where the site has a file. The page of a folder is its index; the site's own is another one than the README. */
export function pathOnSite(file) {
  if (file === "README.md") return "readme.md";
  return file.replace(/README\.md$/, "index.md");
}

/** Where a link of a page leads on the site. */
export function siteLink(page, target, isImage = false) {
  const [file, ...anchor] = target.split("#");
  const to = path.posix.join(path.posix.dirname(page), file);
  if (!siteFiles.includes(to)) return repositoryUrl(page, target, isImage ? "raw" : "blob");
  return [`/${pathOnSite(to)}`, ...anchor].join("#");
}
