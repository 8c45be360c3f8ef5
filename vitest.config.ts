import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import ownPackage from "./package.json" with { type: "json" };
import { SlowestFirst } from "./test/support/slowest-first.ts";

/** The package's own entries, as sources. */
const alias = Object.entries(ownPackage.exports).flatMap(([path, entry]) =>
  typeof entry === "string"
    ? []
    : [
        {
          find: new RegExp(`^holdfast${path.slice(1)}$`),
          replacement: fileURLToPath(new URL(entry["holdfast-source"], import.meta.url)),
        },
      ],
);

/** What every project sets; `globalSetup` is not among it, since one server serves the whole run. */
function project(name: string, include: string[], { isolate = false, without = [] as string[] } = {}) {
  return {
    resolve: { alias },
    test: {
      name,
      include,
      exclude: [...configDefaults.exclude, ...without],
      setupFiles: "test/support/clean-process.ts",
      // Importing everything takes a second of a processor, and a new process for each file would do it again.
      isolate,
      // The summary of a run has one line for each failure: it says what was found.
      chaiConfig: { truncateThreshold: 2_000 },
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  };
}

/** What an effect is proved by counts all that its process does, so also what another file has left behind: each has a process of its own. */
const quickProofs = ["test/integration/effect/absence-*.test.ts"];
const proofs = [
  "examples/providers/*.test.ts",
  "test/verify/door/webhook.test.ts",
  "test/verify/process/welcome-email.test.ts",
  "test/verify/run/passed-on-errors.test.ts",
];

export default defineConfig({
  test: {
    globalSetup: "test/support/global-setup.ts",
    pool: "forks",
    // More would wait for each other, until deadlines pass.
    maxWorkers: availableParallelism(),
    // Of the tests of one file that wait together: they need time, not a processor.
    maxConcurrency: 10,
    sequence: { sequencer: SlowestFirst },
    projects: [
      // In processes of their own: some of them replace every timer, also those of a connection that another file has left.
      project("unit", ["{src,jobs,dev,lab}/**/*.test.ts"]),
      project("integration", ["test/integration/**/*.test.ts"], { without: quickProofs }),
      project("quick-proofs", quickProofs, { isolate: true }),
      // Only in `npm run verify`: what lasts long, packs, makes projects, starts a cluster, rolls out, or opens a browser.
      project(
        "verify",
        [
          "test/{verify,browser}/**/*.test.ts",
          // It takes the pictures of the docs, when it is told where to put them.
          ...(process.env.CONSOLE_PICTURES ? ["test/pictures/**/*.test.ts"] : []),
        ],
        { without: proofs },
      ),
      project("proofs", proofs, { isolate: true }),
    ],
  },
});
