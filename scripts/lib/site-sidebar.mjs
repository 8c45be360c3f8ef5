// The site's sidebar: the tables of pages in docs/README.md, in their order.
import { readFileSync } from "node:fs";
import { packageEntries } from "./package-entries.mjs";
import { pathOnSite, siteFiles, siteLink, wholeReports } from "./site-pages.mjs";

const contents = "docs/README.md";
const section = /^## (?<title>.*)\n\n\| page \|.*\n\|.*\n(?<rows>(?:\|.*\n)+)/gm;
const row = /^\| \[(?<text>[^\]]+)\]\((?<target>[^)]+)\)/gm;

/** The sections of docs/README.md, then the reference and the project. */
export function sidebar() {
  return [
    ...listedSections(),
    { text: "API", items: packageEntries().map(({ name }) => ({ text: name, link: `/api/${name}.md` })) },
    {
      text: "Project",
      items: [
        { text: "Changes", link: "/CHANGELOG.md" },
        { text: "Contributing", link: "/CONTRIBUTING.md" },
        { text: "Security", link: "/SECURITY.md" },
      ],
    },
  ];
}

/** The pages of docs/ that no table lists. */
export function pagesWithoutRow() {
  const listed = new Set(listedSections().flatMap(({ items }) => items.map(({ link }) => link)));
  const isListed = (file) => file === contents || listed.has(`/${pathOnSite(file)}`);
  const isPage = (file) => /^docs\/.*\.md$/.test(file) && !file.startsWith(`${wholeReports}/`);
  return siteFiles.filter((file) => isPage(file) && !isListed(file));
}

function listedSections() {
  const sections = [...readFileSync(contents, "utf8").matchAll(section)];
  return sections.map(({ groups: { title, rows } }) => ({
    text: title,
    items: [...rows.matchAll(row)].map(itemOf).flatMap(withWhole),
  }));
}

/** The page, and the whole report that it is a summary of, where a command has written it. */
function withWhole(item) {
  const whole = `/${wholeReports}/${item.link.replace(/^\/docs\//, "")}`;
  return siteFiles.includes(whole.slice(1)) ? [item, { text: `${item.text}, whole`, link: whole }] : [item];
}

function itemOf({ groups: { text, target } }) {
  return { text, link: siteLink(contents, target) };
}
