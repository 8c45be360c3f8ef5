import { writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { requireWritable, runCommand, say, UsageError, wholeNumber } from "../../test/support/command.ts";
import { plainTable } from "../../test/support/report.ts";
import { number } from "../lib/numbers.ts";
import { rowsAgainst } from "./lib/against.ts";
import { groupRows, measure } from "./lib/measure.ts";
import { comparison, spendingTable } from "./lib/report/comparison.ts";
import { collectFacts } from "./lib/report/facts.ts";
import { json, publish, type Run } from "./lib/report/publish.ts";
import { type Result, resultOf } from "./lib/result.ts";
import type { Form, Row, Sample, Side } from "./lib/row.ts";
import { rowsOf } from "./rows/index.ts";

const usage = `npm run bench -- [options]

Measures Holdfast and its opponents in turn, as real processes on a real Redis at the same durability.

  --quick        the short form: under two minutes, without the rows for orientation
  --only NAME    only this row; may be given several times
  --rounds N     how often each side is measured (1 to 99; default 5, in the short form 3)
  --against DIR  another built checkout instead of the opponents: no row's ratio should be worse than 0.97
  --json FILE    writes all results
  --list         lists the rows
  --help         shows this text

The full form takes half an hour and writes docs/PERFORMANCE.md, a summary, with its charts, and docs/whole/PERFORMANCE.md,
if all rows were measured.
Exit codes: 0 measured, 1 a row is invalid, 2 wrong usage.`;

const forms = {
  full: { isQuick: false, rounds: 5, seconds: 3, warmUpSeconds: 8 },
  quick: { isQuick: true, rounds: 3, seconds: 1, warmUpSeconds: 1 },
} satisfies Record<string, Form>;

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    against: { type: "string" },
    json: { type: "string" },
    list: { type: "boolean", default: false },
  },
  async ({ quick, only, against, json: file, ...given }) => {
    const { rounds: usual, ...size } = quick ? forms.quick : forms.full;
    const rounds = wholeNumber("--rounds", given.rounds ?? String(usual), 1, 99);
    const form = { ...size, rounds };
    const rows = against === undefined ? rowsOf(form) : rowsAgainst(resolve(against), rowsOf(form));
    if (given.list) return say(rows.map(({ name, title }) => `${name}\t${title}`).join("\n"));
    const chosen = rowsNamed(rows, only).filter(({ isExtra }) => only !== undefined || !(quick && isExtra));
    if (file !== undefined) requireWritable("--json", dirname(file));
    const facts = collectFacts(form);
    const results = await measureAll(chosen, rounds);
    const run = { facts, minutes: Math.round(process.uptime() / 60), results };
    print(run);
    if (file !== undefined) writeFileSync(file, json(run));
    if (!quick && against === undefined && chosen.length === rows.length) publish(run);
    return results.some(({ verdict }) => verdict === "invalid") ? 1 : 0;
  },
);

function rowsNamed(rows: readonly Row[], names: readonly string[] | undefined): Row[] {
  const unknown = names?.find((name) => !rows.some((row) => row.name === name));
  if (unknown === undefined) return rows.filter(({ name }) => names?.includes(name) ?? true);
  throw new UsageError(
    `--only: expected one of ${rows.map(({ name }) => name).join(", ")}, got "${unknown}"`,
  );
}

async function measureAll(chosen: readonly Row[], maxRounds: number): Promise<Result[]> {
  const results: Result[] = [];
  for (const group of groupRows(chosen)) {
    const rounds = Math.min(maxRounds, ...group.map((row) => row.rounds ?? maxRounds));
    const samples = await measure(group, rounds, progress(group, rounds));
    results.push(...group.map((row) => resultOf(row, samples)));
  }
  return results.sort((a, b) => chosen.indexOf(a.row) - chosen.indexOf(b.row));
}

function print({ facts, results }: Run): void {
  const lines = [
    ...Object.entries(facts).map(([name, value]) => `${name}: ${value}`),
    "",
    plainTable(comparison(results, ({ row }) => row.name)),
    "",
    plainTable(spendingTable(results.filter(({ row }) => row.growth === undefined))),
    ...results.flatMap(({ row, invalid }) => invalid.map((reason) => `${row.name} is invalid: ${reason}`)),
  ];
  say(lines.join("\n"));
}

/** Prints a line for each sample. */
function progress(rows: readonly Row[], rounds: number) {
  return (round: number, side: Side, sample: Sample) => {
    const [row] = rows.filter(({ sides }) => Object.values(sides).includes(side));
    const measured = Object.entries(sample.measures).map(([name, value]) => `${name} ${number(value)}`);
    const values = [...measured, ...sample.invalid.map((reason) => `INVALID: ${reason}`)].join(", ");
    process.stderr.write(`${row?.name}, round ${round} of ${rounds}, ${side.name}: ${values}\n`);
  };
}
