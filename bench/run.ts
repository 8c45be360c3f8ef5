import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { plainTable } from "../test/support/report.ts";
import { rowsAgainst } from "./lib/against.ts";
import { groupRows, measure } from "./lib/measure.ts";
import { endAllOnExit } from "./lib/processes.ts";
import { comparison, spendingTable } from "./lib/report/comparison.ts";
import { collectFacts } from "./lib/report/facts.ts";
import { number } from "./lib/report/numbers.ts";
import { json, publish, type Run } from "./lib/report/publish.ts";
import { type Result, resultOf } from "./lib/result.ts";
import type { Form, Row, Sample, Side } from "./lib/row.ts";
import { rowsOf } from "./rows/index.ts";

const usage = `npm run bench -- [options]

Measures Holdfast and its opponents in turn, as real processes on a real store at the same durability.

  --quick        the short form: under two minutes, without the rows for orientation
  --only NAME    this row alone; may be given several times
  --rounds N     how often each side is measured (1 to 99; by default 5, in the short form 3)
  --against DIR  another checkout, built, in the opponents' place: no row's ratio should be worse than 0.97
  --json FILE    writes all that was measured
  --list         lists the rows
  --help         this text

The full form takes about twenty minutes and writes docs/PERFORMANCE.md with its charts, when all rows were measured.
Exit codes: 0 measured, whatever came out; 1 a row is invalid; 2 wrong usage.`;

const forms = {
  full: { isQuick: false, rounds: 5, seconds: 3, warmUpSeconds: 3 },
  quick: { isQuick: true, rounds: 3, seconds: 1, warmUpSeconds: 1 },
} satisfies Record<string, Form>;

process.exitCode = await main();
// Whatever a measurement left behind must not keep this process.
process.exit();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) return say(usage);
  if (options.list) return say(options.rows.map(({ name, title }) => `${name}\t${title}`).join("\n"));
  endAllOnExit();
  const { form, rows, chosen } = options;
  const facts = collectFacts(form);
  const results = await measureAll(chosen, form.rounds);
  const run = { facts, minutes: Math.round(process.uptime() / 60), results };
  print(run);
  if (options.json !== undefined) writeFileSync(options.json, json(run));
  if (!form.isQuick && options.against === undefined && chosen.length === rows.length) publish(run);
  return results.some(({ verdict }) => verdict === "invalid") ? 1 : 0;
}

async function measureAll(chosen: readonly Row[], mostRounds: number): Promise<Result[]> {
  const results: Result[] = [];
  for (const group of groupRows(chosen)) {
    const rounds = Math.min(mostRounds, ...group.map((row) => row.rounds ?? mostRounds));
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

/** A line for each sample. */
function progress(rows: readonly Row[], rounds: number) {
  return (round: number, side: Side, sample: Sample) => {
    const [row] = rows.filter(({ sides }) => Object.values(sides).includes(side));
    const measured = Object.entries(sample.measures).map(([name, value]) => `${name} ${number(value)}`);
    const told = [...measured, ...sample.invalid.map((reason) => `INVALID: ${reason}`)].join(", ");
    process.stderr.write(`${row?.name}, round ${round} of ${rounds}, ${side.name}: ${told}\n`);
  };
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string", multiple: true },
        rounds: { type: "string" },
        against: { type: "string" },
        json: { type: "string" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
    const form = values.quick ? forms.quick : forms.full;
    const rounds = values.rounds === undefined ? form.rounds : Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 99)
      throw new TypeError(`--rounds: expected a whole number from 1 to 99, got "${values.rounds}"`);
    const all = rowsOf({ ...form, rounds });
    const rows = values.against === undefined ? all : rowsAgainst(resolve(values.against), all);
    const unknown = values.only?.find((name) => !rows.some((row) => row.name === name));
    if (unknown !== undefined)
      throw new TypeError(
        `--only: expected one of ${rows.map(({ name }) => name).join(", ")}, got "${unknown}"`,
      );
    const chosen = rows.filter(
      ({ name, isExtra }) => values.only?.includes(name) ?? !(values.quick && isExtra),
    );
    if (values.json !== undefined) accessSync(dirname(resolve(values.json)), constants.W_OK);
    return { ...values, form: { ...form, rounds }, rows, chosen };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}\n`);
    return undefined;
  }
}

function say(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}
