import type { Command } from "commander";
import { hasEnded, type JobStatus } from "../../../core/job/job-status.ts";
import type { StatusReader } from "../../../core/status/read-status.ts";
import type { History, HistoryMark, HistoryPoint, HistoryQuery } from "../../../desk/overview/history.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withOperator, withStore } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { readInstant } from "../filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { describeStatus } from "../screen/job-text.ts";
import { describeOverview, timeOrNone } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { type ColumnOf, tableOf } from "../screen/table.ts";
import { type Cell, type Lines, type Tone, toned } from "../screen/text.ts";

const WATCH_EVERY_MS = 500;

/** One job, all that goes on, and what has been going on. */
export function addOverviewCommands(program: Command): void {
  program
    .command("status")
    .description("print the status of one job")
    .argument("<id>", "the id from the answer to the submission")
    .option("--watch", "show each change until the job ends; then exit 0 if it completed, 1 if it failed")
    .option("--json", "print the status as JSON, one line for each change")
    .action(printStatus);
  addShowOptions(program.command("overview"))
    .description("show what is going on: types, queues and workers, and what failed in the last hour")
    .action(overview);
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

async function printStatus(id: string, options: ShowOptions): Promise<void> {
  const { openStatusReader } = await import("../../../features/job-status.ts");
  const { openQueueStores } = await import("../../../core/bullmq/store/queue-store.ts");
  await withStore(async (redis, { HOLDFAST_PREFIX: prefix }) => {
    const readStatus = openStatusReader(openQueueStores(redis, prefix));
    const read = () => requireStatus(readStatus, id);
    const json = (status: JobStatus) => [status];
    const watched = { read, describe: describeStatus, json, isLast: hasEnded, everyMs: WATCH_EVERY_MS };
    const { state } = await show(watched, options);
    if (options.watch && state === "failed") process.exitCode = exitCode.failed;
  });
}

async function requireStatus(readStatus: StatusReader, id: string): Promise<JobStatus> {
  const status = await readStatus(id);
  if (status !== undefined) return status;
  throw new HoldfastError("JOB_NOT_FOUND", `There is no job ${JSON.stringify(id)}, or it was removed`);
}

async function overview(options: ShowOptions): Promise<void> {
  await withOperator(async (operator) => {
    await show({ read: operator.overview, describe: describeOverview, json: (found) => [found] }, options);
  });
}

interface HistoryOptions extends ShowOptions {
  readonly queue?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
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

const columns: readonly ColumnOf<HistoryPoint>[] = [
  ["from", ({ at }) => at],
  ["submitted", ({ submitted }) => submitted],
  ["completed", ({ completed }) => completed],
  ["retried", ({ retried }) => retried, 3],
  ["failed", ({ failed, expired }) => unlessNone(failed + expired, "bad")],
  ["in doubt", ({ inDoubt }) => unlessNone(inDoubt, "warning")],
  ["start p99", ({ timeToStart }) => timeOrNone(timeToStart.p99), 1],
  ["run p99", ({ runTime }) => timeOrNone(runTime.p99), 2],
];

function describe({ points, marks }: History): Lines {
  return [...tableOf(columns, points), ...(marks.length === 0 ? [] : [[""]]), ...marks.map(lineOf)];
}

function unlessNone(count: number, tone: Tone): Cell {
  return toned(String(count), count === 0 ? undefined : tone);
}

/** "2026-12-01T03:12:00.000Z  paused imports: bad deploy 7f3a (ann@build-1)". */
function lineOf({ at, kind, queue, text, by }: HistoryMark): Cell[] {
  const why = text === "" ? "" : `: ${text}`;
  return [toned(at, "faint"), `  ${kind} ${queue}${why}${by === "" ? "" : ` (${by})`}`];
}
