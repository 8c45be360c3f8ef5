// npm run release -- VERSION [--dry-run]: verifies, packs, publishes with provenance, tags. See CONTRIBUTING.md, "How do I release?".
import { parseArgs } from "node:util";
import { refusals, release } from "./lib/release.mjs";
import { Failure, runScript } from "./lib/script.mjs";

const USAGE = "Usage: npm run release -- VERSION [--dry-run]";
const HELP = `${USAGE}

Publishes VERSION, such as 1.2.3, of a clean checkout of main, and tags it vVERSION. package.json and CHANGELOG.md say that version already.
It runs \`npm run verify\` first, packs, and lists what is in the package and in its bill of materials.
Provenance needs a CI job with an identity: GitHub Actions with \`id-token: write\`, or GitLab CI with SIGSTORE_ID_TOKEN.

  --dry-run  verifies, publishes and tags nothing; packs and lists
  --help     prints this`;

await runScript(async () => {
  const { version, isDryRun, isHelp } = readArguments(process.argv.slice(2));
  if (isHelp) return console.log(HELP);
  const refused = await refusals(version, { isDryRun });
  if (refused.length > 0) throw new Failure(refused.join("\n"));
  await release(version, { isDryRun });
});

function readArguments(args) {
  const options = { "dry-run": { type: "boolean" }, help: { type: "boolean" } };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (!values.help && positionals.length !== 1)
      throw new Error(`expected one VERSION, got ${positionals.length}`);
    return {
      version: positionals[0],
      isDryRun: values["dry-run"] === true,
      isHelp: values.help === true,
    };
  } catch (error) {
    throw new Failure(`${error.message}. ${USAGE}`);
  }
}
