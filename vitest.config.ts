import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { SlowestFirst } from "./test/support/slowest-first.ts";

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
    // Most tests wait for processes and timers: on average a file uses less than half a processor.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    sequence: { sequencer: SlowestFirst },
    projects: [
      project("unit", ["src/**/*.test.ts", "jobs/**/*.test.ts", "soak/**/*.test.ts", "faults/**/*.test.ts"]),
      project("integration", ["test/{integration,fault}/**/*.test.ts"]),
      project("browser", ["test/browser/**/*.test.ts"]),
      // Not a test of anything: it takes the pictures of the docs, when it is told where to put them.
      ...(process.env.CONSOLE_PICTURES ? [project("pictures", ["test/pictures/**/*.test.ts"])] : []),
    ],
  },
});
