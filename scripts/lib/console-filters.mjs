// The members of filters that features add, for the console: it loads no code of the service.
import { execFileSync } from "node:child_process";

const file = "console/jobs/feature-filters.ts";

/** The source of the console's list of them. */
export async function consoleFilters() {
  const { features } = await import("../../build/features/index.js");
  const names = features.flatMap(({ filters }) => Object.keys(filters ?? {}));
  const source = `// Written by \`npm run docs\` from src/features.

/** The members of a filter of jobs that features add, each a text. */
export const featureFilters = ${JSON.stringify(names)} as const;
export type FeatureFilter = (typeof featureFilters)[number];
`;
  return execFileSync("node_modules/.bin/biome", ["format", `--stdin-file-path=${file}`], {
    input: source,
    encoding: "utf8",
  });
}
