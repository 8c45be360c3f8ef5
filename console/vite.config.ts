import { defineConfig, type Plugin } from "vite";

export default defineConfig({
  // Relative to the page's <base>, which says where the console is.
  base: "./",
  publicDir: false,
  logLevel: "error",
  plugins: [inEnglish()],
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    // Nothing inline: the content security policy forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1_000,
    license: { fileName: "licenses.md" },
    // The licence of the icons is one.
    rolldownOptions: { output: { comments: { legal: true } } },
  },
});

/** Drops React Aria's translations: the console is in English only. */
function inEnglish(): Plugin {
  return {
    name: "in-english",
    load: {
      filter: { id: /\/react-aria[^/]*\/.*\/intl\/[^/]+\/(?!en-US)[a-z]{2}-[A-Z]{2}\.mjs$/ },
      handler: () => "export default {};",
    },
  };
}
