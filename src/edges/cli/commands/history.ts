import type { Command } from "commander";
import type { History, HistoryMark, HistoryPoint, HistoryQuery } from "../../../features/history/history.ts";
import { withOperator } from "../connections.ts";
import { readInstant } from "../filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { timeOrNone } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { tableLines } from "../screen/table.ts";
import { type Cell, type Lines, toned } from "../screen/text.ts";

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
      "--from <when>",
      "from then on: 2026-12-01T03:00:00Z, 2026-12-01 or 12h; without it: three hours before --to",
    )
    .option("--to <when>", "until then; without it: now")
    .action(history);
}

const MINUTE_MS = 60_000;
const DEFAULT_SPAN_MS = 180 * MINUTE_MS;
/** What fits on a screen. */
const ROWS_MAX = 40;
const STEPS_MS = [1, 5, 15, 30, 60, 180, 360, 720, 1_440].map((minutes) => minutes * MINUTE_MS);

async function history({ queue, type, from, to, ...options }: HistoryOptions): Promise<void> {
  const spanAt = (now: number) => ({ from: readInstant("from", from, now), to: readInstant("to", to, now) });
  spanAt(Date.now());
  await withOperator(async (operator) => {
    await requireKnown(operator, { type, queue });
    const read = async () => {
      const now = await operator.now();
      const span = spanAt(now);
      return await operator.history({ queue, type, ...span, stepMs: stepOf(span, now) });
    };
    await show({ read, describe, json: (found) => [found] }, options);
  });
}

function stepOf({ from, to }: Pick<HistoryQuery, "from" | "to">, now: number): number | undefined {
  const spanMs = from === undefined ? DEFAULT_SPAN_MS : (to ?? now) - from;
  return STEPS_MS.find((step) => spanMs / step <= ROWS_MAX) ?? STEPS_MS.at(-1);
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
