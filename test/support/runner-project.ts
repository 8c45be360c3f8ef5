import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyBuild } from "./build-copy.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const fixture = fileURLToPath(new URL("fixtures/runner-project", import.meta.url));

/**
 * Makes a user's project with an application and its tests, in a new folder.
 *
 * @param importTest the line that gives the tests their `test`
 * @param modules packages that it needs beside Holdfast, each with its folder
 */
export function makeRunnerProject(
  importTest: string,
  modules: Readonly<Record<string, string>> = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-runner-"));
  mkdirSync(join(folder, "node_modules", "holdfast"), { recursive: true });
  copyBuild(checkout, join(folder, "node_modules", "holdfast"));
  const linked = { zod: join(checkout, "node_modules", "zod"), ...modules };
  for (const [name, path] of Object.entries(linked)) symlinkSync(path, join(folder, "node_modules", name));
  cpSync(join(fixture, "greeting.mjs"), join(folder, "greeting.mjs"));
  const tests = readFileSync(join(fixture, "greeting.tests.mjs"), "utf8");
  // Node's own error, made in a callback.
  const failToOpen =
    'const failToOpen = (then) => void import("node:fs").then((fs) => fs.open("/none", then));';
  writeFileSync(join(folder, "greeting.test.mjs"), `${importTest}\n${failToOpen}\n${tests}`);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "runner-project", type: "module" }));
  return folder;
}
