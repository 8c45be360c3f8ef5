import { readFileSync } from "node:fs";
import { outputOf } from "../../../test/support/report.ts";
import { libraries } from "../libraries.ts";
import type { Results } from "./results.ts";
import { chooseRuntimes } from "./runtimes.ts";

/** Each package with its version, as it is pinned. */
export function versionsOfLibraries(): string[] {
  const file = new URL("../package.json", import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as { dependencies: Record<string, string> };
  const packages = libraries.map(({ name, package: from }) =>
    from === undefined ? `${name} (no package)` : `${from} ${dependencies[from]}`,
  );
  return [...new Set(packages)];
}

export function versionsOfRuntimes({ runs }: Results): string {
  return chooseRuntimes(runs.map(({ runtime }) => runtime))
    .found.map(({ name, command }) => `${name} ${outputOf(command, "--version").trim().split("\n")[0]}`)
    .join(", ");
}
