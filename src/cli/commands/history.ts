import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { History, HistoryMark, HistoryPoint } from "../../operate/history.ts";
import { withOperator } from "../connections.ts";
import { requireKnown } from "../known-names.ts";
import { timeOrNone } from "../overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../show.ts";
import { tableLines } from "../table.ts";
import { type Cell, type Lines, toned } from "../text.ts";

interface HistoryOptions extends ShowOptions {
  readonly queue?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
}

/** `holdfast history`. */
export function addHistoryCommand(program: Command): void {
  addShowOptions(program.command("history"))
    .description("show what happened, whether or not anybody watched, and what was done meanwhile")
    .option("--queue <name>", "only in this queue")
    .option("--type <type>", "only jobs of this type")
    .option(
      "--from <instant>",
      "from then on, e.g. 2026-12-01T03:00:00Z; without it: three hours before --to",
    )
    .option("--to <instant>", "until then; without it: now")
    .action(history);
}

const MINUTE_MS = 60_000;
const DEFAULT_SPAN_MS = 180 * MINUTE_MS;
/** What fits on a screen. */
const ROWS_MAX = 40;
const STEPS_MS = [1, 5, 15, 30, 60, 180, 360, 720, 1_440].map((minutes) => minutes * MINUTE_MS);

async function history({ queue, type, from, to, ...options }: HistoryOptions): Promise<void> {
  const end = instantOf("to", to);
  const start = instantOf("from", from);
  const spanMs = start === undefined ? DEFAULT_SPAN_MS : (end ?? Date.now()) - start;
  const stepMs = STEPS_MS.find((step) => spanMs / step <= ROWS_MAX) ?? STEPS_MS.at(-1);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type, queue });
    const read = () => operator.history({ queue, type, from: start, to: end, stepMs });
    await show({ read, describe, json: (found) => [found] }, options);
  });
}

function instantOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\dT.+(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new HoldfastError(
    "USAGE",
    `--${option}: expected an instant such as 2026-12-01T03:00:00Z, got "${text}"`,
  );
}

const columns = [
  "from",
  "submitted",
  "completed",
  { heading: "retried", leaves: 3 },
  "failed",
  "in doubt",
  { heading: "start p99", leaves: 1 },
  { heading: "run p99", leaves: 2 },
];

function describe({ points, marks }: History): Lines {
  return [
    ...tableLines(columns, points.map(rowOf)),
    ...(marks.length === 0 ? [] : [[""]]),
    ...marks.map(lineOf),
  ];
}

function rowOf(point: HistoryPoint): Cell[] {
  const failed = point.failed + point.expired;
  return [
    point.at,
    String(point.submitted),
    String(point.completed),
    String(point.retried),
    failed === 0 ? "0" : toned(String(failed), "bad"),
    point.inDoubt === 0 ? "0" : toned(String(point.inDoubt), "warning"),
    timeOrNone(point.timeToStart.p99),
    timeOrNone(point.runTime.p99),
  ];
}

/** "2026-12-01T03:12:00.000Z  paused imports: bad deploy 7f3a (ann@build-1)". */
function lineOf({ at, kind, queue, text, by }: HistoryMark): Cell[] {
  const why = text === "" ? "" : `: ${text}`;
  return [toned(at, "faint"), `  ${kind} ${queue}${why}${by === "" ? "" : ` (${by})`}`];
}
