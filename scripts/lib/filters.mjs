// The members of filters, for the console, which loads no code of the service, and for the docs.
import { execFileSync } from "node:child_process";

const file = "console/parts/filters.ts";

async function declaredFilters() {
  const { jobFilter } = await import("../../build/desk/jobs/job-filter.js");
  const { doubtFilter } = await import("../../build/desk/doubts/doubt-filter.js");
  const { auditFilter } = await import("../../build/desk/audit/audit-filter.js");
  const { guardedEffectFilter } = await import("../../build/desk/guarded/guarded-effects.js");
  return { job: jobFilter, doubt: doubtFilter, guarded: guardedEffectFilter, audit: auditFilter };
}

/** The source of the console's fields: the members that have a label, in the order in which they are declared. */
export async function consoleFilters() {
  const lists = Object.entries(await declaredFilters()).map(([name, { members, instants }]) => {
    const fields = Object.entries(members)
      .filter(([, { option }]) => option.label !== undefined)
      .map(([member, { option }]) => ({
        name: member,
        label: option.label,
        ...(instants.includes(member) && { isInstant: true }),
      }));
    return `export const ${name}Fields = ${JSON.stringify(fields)} as const satisfies readonly FilterField[];`;
  });
  const source = `// Written by \`npm run docs\` from the filters in src/desk and src/features.

/** A member of a filter, as a form has it: a text. */
export interface FilterField {
  readonly name: string;
  readonly label: string;
  readonly isInstant?: true;
}

${lists.join("\n\n")}
`;
  return execFileSync("node_modules/.bin/biome", ["format", `--stdin-file-path=${file}`], {
    input: source,
    encoding: "utf8",
  });
}

/** For docs/http-jobs.md. */
export async function jobFilterTable() {
  return table((await declaredFilters()).job);
}

/** For docs/http-operate.md. */
export async function doubtFilterTable() {
  return table((await declaredFilters()).doubt);
}

function table({ members, instants }) {
  const rows = Object.entries(members).map(([name, { option }]) => {
    const instant = instants.includes(name) ? "; an instant, a day or an age" : "";
    return `| \`${name}\` | \`${option.flags.replaceAll("|", "\\|")}\` | ${option.help}${instant} |`;
  });
  return ["| query | option | |", "| --- | --- | --- |", ...rows].join("\n");
}
