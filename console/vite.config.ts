import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

export default defineConfig({
  // Relative to the page's <base>, which says where the console is.
  base: "./",
  publicDir: false,
  logLevel: "error",
  plugins: [inEnglish(), compressed()],
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    // Nothing inline: the content security policy forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1_000,
    license: { fileName: "licenses.md" },
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

const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

/** Compresses scripts and style sheets at build time; the server sends the variant that the browser accepts. */
function compressed(): Plugin {
  return {
    name: "compressed",
    async generateBundle(_options, bundle) {
      const files = Object.values(bundle).filter(({ fileName }) => /\.(js|css)$/.test(fileName));
      for (const file of files) {
        const text = file.type === "chunk" ? file.code : file.source;
        const [brotli, gzipped] = await Promise.all([
          promisify(brotliCompress)(text, brotliOptions),
          promisify(gzip)(text),
        ]);
        this.emitFile({ type: "asset", fileName: `${file.fileName}.br`, source: brotli });
        this.emitFile({ type: "asset", fileName: `${file.fileName}.gz`, source: gzipped });
      }
    },
  };
}
