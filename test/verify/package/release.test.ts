import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { checkout, newFolder, removeFolders, run } from "../../../lab/compat/lib/folder.ts";

const COPIED = [
  ...["bin", "console", "dist", "scripts", "src"],
  ...["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json", ".gitignore"],
  ...["README.md", "CHANGELOG.md", "LICENSE"],
];
/** Where no registry answers. */
const env = { npm_config_registry: "http://127.0.0.1:9/", npm_config_fetch_retries: "0" };

let folder: string;

/** A checkout of main, with this one's build, whose version 9.8.7 can be released. */
beforeAll(() => {
  folder = newFolder("release");
  // With their times: the build is that of these sources.
  for (const entry of COPIED) execFileSync("cp", ["-a", join(checkout, entry), folder]);
  // Not the folder itself: packing writes into its cache.
  mkdirSync(join(folder, "node_modules"));
  for (const entry of readdirSync(join(checkout, "node_modules")).filter((name) => name !== ".cache"))
    symlinkSync(join(checkout, "node_modules", entry), join(folder, "node_modules", entry));
  git("init", "--quiet", "--initial-branch=main");
  git("config", "user.name", "A maintainer");
  git("config", "user.email", "maintainer@example.com");
  change("package.json", /"version": "[^"]+"/, '"version": "9.8.7"');
  change("CHANGELOG.md", /^## Unreleased$/m, "## Unreleased\n\n## 9.8.7");
  git("add", "--all");
  git("commit", "--quiet", "--message", "Prepare 9.8.7");
});
afterAll(removeFolders);

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: folder, encoding: "utf8" });
}

function change(file: string, from: RegExp, to: string): void {
  const path = join(folder, file);
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
}

const release = (...args: string[]) =>
  run(folder, process.execPath, ["scripts/release.mjs", ...args], { env });

describe("a release", () => {
  it("is tried in a dry run: it packs, lists and publishes nothing", async () => {
    const { code, output } = await release("9.8.7", "--dry-run");

    expect(output).toContain("Skipped in a dry run: npm run verify");
    expect(output).toMatch(/^holdfast-9\.8\.7\.tgz: \d+ files, \d+\.\d\d MB, unpacked \d+\.\d\d MB$/m);
    expect(output).toMatch(/^ {2}dist\/core +\d+ {2}\d+\.\d\d MB$/m);
    expect(output).toMatch(/^dist\/vendor\/bom\.cdx\.json \(CycloneDX\) names the [1-9]\d* packages/m);
    expect(output).toMatch(/^Provenance needs a CI job with an identity/m);
    expect(output).toContain("+ holdfast@9.8.7");
    expect(output).toMatch(/^Nothing was published, and v9\.8\.7 is not tagged: this was a dry run\.$/m);
    expect(code).toBe(0);
    expect(git("tag", "--list")).toBe("");
    expect(git("status", "--porcelain")).toBe("");
  });

  it("says in a line for each fault what to do, and begins nothing", async () => {
    onTestFinished(() => {
      git("clean", "--quiet", "--force");
      git("switch", "--quiet", "main");
      git("tag", "--delete", "v1.2.3");
    });
    git("tag", "v1.2.3");
    git("switch", "--quiet", "--create", "topic");
    writeFileSync(join(folder, "left"), "");

    const { code, output } = await release("1.2.3");

    expect(output.trimEnd().split("\n")).toEqual([
      "This is the branch topic: run `git switch main`.",
      "The checkout has changes: commit them, or put them away with `git stash -u`.",
      "package.json says 9.8.7: run `npm version 1.2.3 --no-git-tag-version`, and commit it.",
      'CHANGELOG.md has no heading for 1.2.3: put "## 1.2.3" below "## Unreleased", and commit it.',
      "The tag v1.2.3 exists: choose the next version, or remove it with `git tag -d v1.2.3` if that was never published.",
      expect.stringMatching(/^Provenance needs a CI job with an identity.*: run it in GitHub Actions/),
    ]);
    expect(code).toBe(1);
  });

  it.each([
    { what: "a version that is none", args: ["9.8"], says: 'Expected a version like 1.2.3, got "9.8"' },
    { what: "no version", args: [], says: "expected one VERSION, got 0. Usage: npm run release" },
    { what: "an unknown option", args: ["9.8.7", "--force"], says: "Unknown option '--force'" },
  ])("is refused for $what", async ({ args, says }) => {
    const { code, output } = await release(...args);

    expect(output).toContain(says);
    expect(output.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });
});
