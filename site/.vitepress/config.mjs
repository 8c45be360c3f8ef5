// The documentation site. Its pages are written by scripts/lib/site.mjs.
import { defineConfig } from "vitepress";
import { slug } from "../../scripts/lib/links.mjs";
import { repositoryUrl } from "../../scripts/lib/pages.mjs";
import { sidebar } from "../../scripts/lib/site-sidebar.mjs";

/** The index has the text of code alone: colouring it again would take as long as it takes for the pages. */
function renderForSearch(source, env, markdown) {
  const { highlight } = markdown.options;
  markdown.set({ highlight: null });
  try {
    return markdown.render(source, env);
  } finally {
    markdown.set({ highlight });
  }
}

export default defineConfig({
  title: "Holdfast",
  description: "A durable background-job service on BullMQ and Redis",
  head: [["link", { rel: "icon", href: "data:," }]],
  srcDir: "pages",
  outDir: "../dist-site",
  cacheDir: "../node_modules/.cache/holdfast/vitepress",
  appearance: "force-auto", // like the pictures of the console
  router: { prefetchLinks: false }, // a page costs what it shows
  markdown: {
    anchor: { slugify: slug },
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
  },
  themeConfig: {
    search: { provider: "local", options: { _render: renderForSearch } },
    nav: [
      { text: "Tour", link: "/docs/tour" },
      { text: "Docs", link: "/docs/" },
      { text: "Why not just …?", link: "/docs/why-not" },
      { text: "API", link: "/api/" },
      { text: "Changes", link: "/CHANGELOG" },
      { text: "Repository", link: repositoryUrl() },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
  },
});
