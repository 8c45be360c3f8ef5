import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The package's own entries, as sources. */
const entries = ["worker", "server", "client/index", "testing/index"].map((name) => ({
  find: `holdfast/${name.replace("/index", "")}`,
  replacement: source(name),
}));

const shared = { resolve: { alias: [...entries, { find: /^holdfast$/, replacement: source("index") }] } };

function source(name: string): string {
  return fileURLToPath(new URL(`src/${name}.ts`, import.meta.url));
}

/** What every project sets; `globalSetup` is not among it, since one server serves the whole run. */
function project(name: string, include: string[]) {
  return { ...shared, test: { name, include, testTimeout: 120_000, hookTimeout: 120_000 } };
}

export default defineConfig({
  test: {
    globalSetup: "test/support/global-setup.ts",
    pool: "forks",
    // Many tests start processes of their own and wait for them: a CI machine with two processors is full with three files at once.
    ...(process.env.CI ? { maxWorkers: 3 } : {}),
    projects: [
      project("unit", ["src/**/*.test.ts", "jobs/**/*.test.ts", "soak/**/*.test.ts", "faults/**/*.test.ts"]),
      project("integration", ["test/{integration,fault}/**/*.test.ts"]),
      project("browser", ["test/browser/**/*.test.ts"]),
      // Not a test of anything: it takes the pictures of the docs, when it is told where to put them.
      ...(process.env.CONSOLE_PICTURES ? [project("pictures", ["test/pictures/**/*.test.ts"])] : []),
    ],
  },
});
