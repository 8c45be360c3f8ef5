// Documents the environment variables, from the table that the code reads them with.

/** Every variable with its documentation. */
async function readVariables() {
  const { variables } = await import("../../dist/config/variables.js");
  return Object.entries(variables).map(([name, { bare, meaning, ...variable }]) => ({
    name,
    ...variable,
    meaning:
      bare === undefined ? meaning : `${meaning} Where it is not set, the command's roles read \`${bare}\`.`,
  }));
}

/** The text of `.env.example`. */
export async function envExample() {
  const entries = (await readVariables()).map(({ name, expected, meaning, fallback }) => {
    const value = /\s/.test(fallback) ? `"${fallback}"` : fallback;
    return `# ${meaning}\n# Expected: ${expected}\n# ${name}=${value}\n`;
  });
  const head =
    "# Every variable that Holdfast reads, with its default. Copy this file to .env and uncomment what you change.\n" +
    "# .env is for convenience on one machine and never overrides the environment.\n";
  return [head, ...entries].join("\n");
}

/** The table in `docs/configuration.md`. */
export async function variablesTable() {
  const rows = (await readVariables()).map(
    ({ name, expected, meaning, fallback }) =>
      `| \`${name}\` | ${fallback === "" ? "none" : `\`${fallback}\``} | ${meaning} | ${expected} |`,
  );
  return ["| variable | default | meaning | expected |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
