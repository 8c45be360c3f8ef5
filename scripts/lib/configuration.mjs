// Documents the environment variables, from the tables that the code reads them with.
import { pathToFileURL } from "node:url";
import { register } from "tsx/esm/api";

/** Holdfast's variables with their documentation. */
async function readVariables() {
  const { variables } = await import("../../build/platform/config/variables.js");
  return Object.entries(variables).map(([name, { bare, meaning, ...variable }]) => ({
    name,
    ...variable,
    meaning:
      bare === undefined ? meaning : `${meaning} Where it is not set, the command's roles read \`${bare}\`.`,
  }));
}

/** The variables of the jobs in jobs/. */
async function readJobVariables() {
  const { applicationVariables } = await import("../../build/platform/config/application-env.js");
  const unregister = register();
  const { env } = await import(pathToFileURL("jobs/env.ts").href);
  await unregister();
  return applicationVariables(env);
}

/** The text of `.env.example`. */
export async function envExample() {
  const head =
    "# Every variable that Holdfast reads, with its default. Copy this file to .env and uncomment what you change.\n" +
    "# .env is for convenience on one machine and never overrides the environment.\n";
  const jobs = "# The variables of the jobs in jobs/.\n";
  return [
    head,
    ...(await readVariables()).map(exampleOf),
    jobs,
    ...(await readJobVariables()).map(exampleOf),
  ].join("\n");
}

function exampleOf({ name, expected, meaning, fallback }) {
  const value = /\s/.test(fallback) ? `"${fallback}"` : fallback;
  return `# ${meaning}\n# Expected: ${expected}\n# ${name}=${value}\n`;
}

/** The table in `docs/configuration.md`. */
export async function variablesTable() {
  return tableOf(await readVariables());
}

/** The table in `jobs/README.md`. */
export async function jobVariablesTable() {
  return tableOf(await readJobVariables());
}

function tableOf(variables) {
  const rows = variables.map(
    ({ name, expected, meaning, fallback }) =>
      `| \`${name}\` | ${fallback === "" ? "none" : `\`${fallback}\``} | ${meaning} | ${expected} |`,
  );
  return ["| variable | default | meaning | expected |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
