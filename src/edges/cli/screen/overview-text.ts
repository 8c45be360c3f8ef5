import type {
  Overview,
  QueueOverview,
  TypeOverview,
  WorkerOverview,
} from "../../../desk/overview/overview.ts";
import { rampText } from "../../../desk/queues/ramps.ts";
import { quietText } from "../../../desk/workers/all-quiet.ts";
import { features } from "../../../features/index.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";
import { screen } from "./screen.ts";
import { type ColumnOf, tableOf } from "./table.ts";
import { type Cell, type Lines, linesOf, toned } from "./text.ts";

/** Of one worker. */
const JOBS_NAMED = 3;

/** @param width of the terminal @default that of standard output */
export function describeOverview(overview: Overview, width = screen().columns): Lines {
  const now = Date.parse(overview.at);
  const parts = [
    `${overview.at}  Redis ${overview.store.version}, ${Math.round(overview.store.usedBytes / 2 ** 20)} MiB, answers in ${durationText(overview.store.pingMs)}`,
    ...problems(overview),
    summary(overview),
    typesTable(overview.types, now, width),
    queuesTable(overview.queues, now, width),
    ...actsLine(overview.acts, now),
    workersTable(overview.workers, now, width),
  ];
  return parts.flatMap((part, index) => [...(index === 0 ? [] : [[""]]), ...linesOf(part)]);
}

function problems({ problems: found }: Overview): Cell[][][] {
  return found.map(({ code, message, remedy }) => [
    [toned(`${code ?? "PROBLEM"}: ${message}. Remedy: ${remedy}.`, "bad")],
  ]);
}

type Summed = {
  [Name in keyof QueueOverview]: QueueOverview[Name] extends number ? Name : never;
}[keyof QueueOverview];

function summary({ queues, guarded }: Overview): string {
  const sum = (name: Summed) => queues.reduce((total, queue) => total + queue[name], 0);
  return [
    `${queues.every(({ isFailedExact }) => isFailedExact) ? "" : "at least "}${sum("failed")} failed`,
    `${sum("inDoubt") + guarded.inDoubt} in doubt`,
    `${sum("waiting") + sum("prioritized")} waiting`,
    `${sum("active")} running`,
    `${rateText(sum("completedPerSecond"))} completed a second over 10 s`,
    `${rateText(sum("failedPerSecond"))} failed a second`,
  ].join(", ");
}

const featureColumns = features.flatMap(({ overview }) => overview?.columns ?? []);

function typesTable(types: readonly TypeOverview[], now: number, width: number): Lines {
  const columns: ColumnOf<TypeOverview>[] = [
    ["type", ({ type }) => type],
    ["running", ({ active }) => active],
    ["waiting", ({ isEstimate, waiting }) => `${isEstimate ? "~" : ""}${waiting}`],
    ["oldest", ({ oldestWaitingSince }) => ageText(oldestWaitingSince, now)],
    ["completed/s 5min", ({ completedPerSecond }) => rateText(completedPerSecond), 4],
    ["start p99 1h", ({ lastHour }) => timeOrNone(lastHour.timeToStart.p99), 3],
    ["run p99 1h", ({ lastHour }) => timeOrNone(lastHour.runTime.p99), 5],
    ["retried 1h", ({ lastHour }) => lastHour.retried, 2],
    ["failed 1h", ({ lastHour }) => lastHour.failed],
    ["in doubt 1h", ({ lastHour }) => lastHour.inDoubt, 1],
  ];
  for (const [name, cell, rank] of featureColumns)
    if (types.some((type) => cell(type) !== null)) columns.push([name, (type) => cell(type) ?? "-", rank]);
  return tableOf(columns, types, width);
}

function queuesTable(queues: readonly QueueOverview[], now: number, width: number): Lines {
  const columns: readonly ColumnOf<QueueOverview>[] = [
    ["queue", ({ name }) => name],
    ["waiting", ({ waiting, prioritized }) => waiting + prioritized],
    ["oldest", ({ oldestWaitingSince }) => ageText(oldestWaitingSince, now)],
    ["active", ({ active }) => active],
    ["delayed", ({ delayed }) => delayed, 1],
    ["completed kept", ({ completed }) => completed, 3],
    ["failed kept", failedText],
    ["in doubt", ({ inDoubt }) => inDoubt, 2],
    ["", (queue) => stateText(queue, now)],
  ];
  return tableOf(columns, queues, width);
}

/** Without any, there is nothing to show. */
function actsLine({ running, waiting, oldestWaitingSince }: Overview["acts"], now: number): Cell[][][] {
  if (running + waiting === 0) return [];
  const since = oldestWaitingSince === null ? "" : `, the next for ${ageText(oldestWaitingSince, now)}`;
  const text = `acts: ${running} running, ${waiting} waiting${since}`;
  return [[running === 0 ? [toned(text, "warning")] : [text]]];
}

/** Of what is kept; cancelled jobs and those in doubt have not failed. */
export function failedText({
  failed,
  isFailedExact,
}: Pick<QueueOverview, "failed" | "isFailedExact">): string {
  return `${isFailedExact ? "" : "at least "}${failed}`;
}

function stateText(queue: QueueOverview, now: number): Cell {
  const { workers, limits, clearsInMs } = queue;
  const limit = [limits.rate, limits.concurrency && `${limits.concurrency} at a time`]
    .filter(Boolean)
    .join(", ");
  const clears =
    limits.rate === null || !clearsInMs ? "" : `: the last starts in ${durationText(clearsInMs)}`;
  const parts = [
    workers === 0 && "no worker",
    quietText(queue),
    pausedText(queue),
    limit && `limited to ${limit}${clears}`,
    queue.ramp !== null && rampText(queue.ramp, now),
    ...queue.curbs.map(curbLine),
  ];
  return toned(parts.filter(Boolean).join("; "), workers === 0 ? "bad" : "warning");
}

function pausedText({ isPaused, paused }: QueueOverview): string {
  if (!isPaused) return "";
  return paused === null || paused.reason === "" ? "paused" : `paused by ${paused.by}: ${paused.reason}`;
}

/** @example "type webhook paused, 12 held" */
export function curbLine({ type, key, concurrency, held }: QueueOverview["curbs"][number]): string {
  const what = type === null ? `key ${key}` : `type ${type}`;
  return `${what} ${concurrency === null ? "paused" : `limited to ${concurrency} at a time`}, ${held} held`;
}

export function workersTable(workers: readonly WorkerOverview[], now: number, width: number): Lines {
  if (workers.every(({ isSilent, holds, stillRuns }) => isSilent && holds.length + stillRuns.length === 0))
    return "No worker is running. Jobs are accepted, and wait for one.";
  const columns: readonly ColumnOf<WorkerOverview>[] = [
    ["worker", ({ name }) => name],
    ["queue", ({ queue }) => queue],
    ["version", ({ version }) => version, 2],
    ["busy", busyText],
    ["up", ({ isSilent, startedAt }) => (isSilent ? "" : ageText(startedAt, now)), 1],
    ["", troubleOf],
    ["runs", (worker) => [holdsText(worker, now), stillRunsText(worker, now)].filter(Boolean).join("; ")],
  ];
  // Stale ones without jobs have nothing to say.
  const shown = workers.filter(
    ({ isSilent, holds, stillRuns }) => !isSilent || holds.length + stillRuns.length > 0,
  );
  return tableOf(columns, shown, width);
}

function busyText({ isGone, running, holds, concurrency }: WorkerOverview): string {
  return isGone ? "" : `${Math.max(running, holds.length)} of ${concurrency}`;
}

function troubleOf({ isGone, isSilent, isStuck, isClockWrong, quiet }: WorkerOverview): string {
  if (isGone) return "stopped";
  if (isSilent) return "stale";
  if (isClockWrong) return "clock wrong";
  if (quiet !== null)
    return `${quiet.hasHeard ? "quiet" : "told to be quiet"} by ${quiet.by}: ${quiet.reason}`;
  return isStuck ? "stuck" : "";
}

function holdsText({ holds }: WorkerOverview, now: number): string {
  const named = holds.slice(0, JOBS_NAMED).map(({ type, since }) => `${type} for ${ageText(since, now)}`);
  const more = holds.length > JOBS_NAMED ? [`${holds.length - JOBS_NAMED} more`] : [];
  return [...named, ...more].join(", ");
}

function stillRunsText({ isSilent, stillRuns }: WorkerOverview, now: number): string {
  const [first] = stillRuns;
  if (first === undefined) return "";
  const others = stillRuns.length > 1 ? ` and ${stillRuns.length - 1} more` : "";
  const what = `told to stop ${ageText(first.toldAt, now)} ago, ${isSilent ? "may still run" : "still runs"}`;
  return `${what}: ${first.type} (${first.jobId})${others}`;
}

function ageText(since: string | null, now: number): string {
  if (since === null) return "-";
  return durationText(Math.max(0, Math.floor((now - Date.parse(since)) / 1_000) * 1_000));
}

export function timeOrNone(ms: number | null): string {
  return ms === null ? "-" : durationText(ms);
}

function rateText(value: number): string {
  return String(value < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}
