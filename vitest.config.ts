import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { SlowestFirst } from "./test/support/slowest-first.ts";

/** The package's own entries, as sources. */
const entries = ["worker", "server", "client/index", "testing/index"].map((name) => ({
  find: `holdfast/${name.replace("/index", "")}`,
  replacement: source(name),
}));

function source(name: string): string {
  return fileURLToPath(new URL(`src/${name}.ts`, import.meta.url));
}

export default defineConfig({
  resolve: { alias: [...entries, { find: /^holdfast$/, replacement: source("index") }] },
  test: {
    include: [
      "{src,jobs,soak,faults}/**/*.test.ts",
      "test/{integration,fault,browser}/**/*.test.ts",
      // Not a test of anything: it takes the pictures of the docs, when it is told where to put them.
      ...(process.env.CONSOLE_PICTURES ? ["test/pictures/**/*.test.ts"] : []),
    ],
    globalSetup: "test/support/global-setup.ts",
    setupFiles: "test/support/clean-process.ts",
    pool: "forks",
    // Importing everything takes a second of a processor, and a new process for each file would do it again.
    isolate: false,
    // Most tests wait for processes and timers: on average a file uses less than half a processor.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    sequence: { sequencer: SlowestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
