// A release: what stands in its way, and its steps.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { step } from "./progress.mjs";
import { capture, show } from "./run.mjs";
import { Failure } from "./script.mjs";

const bill = "dist/vendor/bom.cdx.json";
const NO_IDENTITY =
  "Provenance needs a CI job with an identity, which this process has not: run it in GitHub Actions with `id-token: write`, or in GitLab CI with SIGSTORE_ID_TOKEN.";

/** Why a version cannot be released: a line each, with the remedy. */
export async function refusals(version, { isDryRun }) {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    return [`Expected a version like 1.2.3, got "${version}": give its three numbers.`];
  const written = JSON.parse(readFileSync("package.json", "utf8")).version;
  const branch = await git("rev-parse", "--abbrev-ref", "HEAD");
  const tag = tagOf(version);
  const checks = [
    [branch === "main", `This is the branch ${branch}: run \`git switch main\`.`],
    [await isClean(), "The checkout has changes: commit them, or put them away with `git stash -u`."],
    [
      written === version,
      `package.json says ${written}: run \`npm version ${version} --no-git-tag-version\`, and commit it.`,
    ],
    [
      hasHeading(version),
      `CHANGELOG.md has no heading for ${version}: put "## ${version}" below "## Unreleased", and commit it.`,
    ],
    [
      (await git("tag", "--list", tag)) === "",
      `The tag ${tag} exists: choose the next version, or remove it with \`git tag -d ${tag}\` if that was never published.`,
    ],
    [isDryRun || hasIdentity(), NO_IDENTITY],
  ];
  return checks.flatMap(([isFine, line]) => (isFine ? [] : [line]));
}

/** Each step only where those before it went well. */
export async function release(version, { isDryRun }) {
  const commit = await git("rev-parse", "HEAD");
  await verify(isDryRun);
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-release-"));
  try {
    const packed = await pack(folder);
    list(packed);
    // Verifying and packing take half an hour, and both write files.
    if (!(await isClean()) || (await git("rev-parse", "HEAD")) !== commit)
      throw new Failure("The checkout has changed meanwhile: look at `git status`, and begin again.");
    await publish(path.join(folder, packed.filename), isDryRun);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const tag = tagOf(version);
  if (isDryRun) return console.log(`Nothing was published, and ${tag} is not tagged: this was a dry run.`);
  await git("tag", "--annotate", "--message", `Holdfast ${version}`, tag, commit);
  console.log(`Published, and tagged ${tag}. Now run \`git push origin ${tag}\`.`);
}

async function verify(isDryRun) {
  if (isDryRun) return console.log("Skipped in a dry run: npm run verify");
  if ((await show("npm", ["run", "verify"])) !== 0)
    throw new Failure("The verification failed: see above, mend it, and begin again.");
}

/** The very file that is published. */
async function pack(folder) {
  let packed;
  await step("Packing", async () => {
    const { code, output } = await capture("npm", ["pack", "--json", "--pack-destination", folder]);
    if (code !== 0) throw new Failure("Packing failed: see above.", output);
    [packed] = JSON.parse(output.slice(output.search(/^\[$/m), output.search(/^\]$/m) + 1));
  });
  return packed;
}

function list({ filename, files, size, unpackedSize }) {
  console.log(`${filename}: ${files.length} files, ${megabytes(size)}, unpacked ${megabytes(unpackedSize)}`);
  for (const folder of new Set(files.map(folderOf))) {
    const its = files.filter((file) => folderOf(file) === folder);
    const bytes = its.reduce((sum, file) => sum + file.size, 0);
    console.log(`  ${folder.padEnd(24)} ${String(its.length).padStart(5)}  ${megabytes(bytes)}`);
  }
  const { components } = JSON.parse(readFileSync(bill, "utf8"));
  console.log(
    `${bill} (CycloneDX) names the ${components.length} packages that are built in; docs/licences.md has their licences.`,
  );
}

/** Of `dist/core/job/x.js`: `dist/core`. */
function folderOf({ path: file }) {
  return path.dirname(file).split("/").slice(0, 2).join("/").replace(/^\.$/, file);
}

async function publish(tarball, isDryRun) {
  if (isDryRun && !hasIdentity()) console.log(NO_IDENTITY);
  const how = isDryRun ? ["--dry-run"] : ["--provenance"];
  if ((await show("npm", ["publish", tarball, "--access", "public", ...how])) !== 0)
    throw new Failure("npm did not publish it: see above. Nothing is tagged; begin again.");
}

/** What npm asks for a signature with. */
function hasIdentity() {
  const { ACTIONS_ID_TOKEN_REQUEST_URL, SIGSTORE_ID_TOKEN } = process.env;
  return Boolean(ACTIONS_ID_TOKEN_REQUEST_URL || SIGSTORE_ID_TOKEN);
}

async function isClean() {
  return (await git("status", "--porcelain")) === "";
}

function hasHeading(version) {
  return readFileSync("CHANGELOG.md", "utf8")
    .split("\n")
    .some((line) => line === `## ${version}` || line.startsWith(`## ${version} `));
}

function tagOf(version) {
  return `v${version}`;
}

async function git(...args) {
  const { code, output } = await capture("git", args);
  if (code !== 0) throw new Failure(`git ${args[0]} failed: see above.`, output);
  return output.trim();
}

function megabytes(bytes) {
  return `${(bytes / 1_000_000).toFixed(2)} MB`;
}
