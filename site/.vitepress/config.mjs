// The documentation site. Its pages are written by scripts/lib/site.mjs.
import { defineConfig } from "vitepress";
import { slug } from "../../scripts/lib/links.mjs";
import { repositoryUrl } from "../../scripts/lib/pages.mjs";
import { sidebar } from "../../scripts/lib/site-sidebar.mjs";

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
    search: { provider: "local" },
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
