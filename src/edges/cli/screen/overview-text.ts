import type {
  Overview,
  QueueOverview,
  TypeOverview,
  WorkerOverview,
} from "../../../desk/overview/overview.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";
import { screen } from "./screen.ts";
import { tableLines } from "./table.ts";
import { type Cell, type Lines, linesOf, toned } from "./text.ts";

/** Of one worker. */
const JOBS_NAMED = 3;

/** @param width of the terminal @default that of standard output */
export function describeOverview(overview: Overview, width = screen().columns): Lines {
  const now = Date.parse(overview.at);
  const parts = [
    `${overview.at}  Redis ${overview.store.version}, ${Math.round(overview.store.usedBytes / 2 ** 20)} MiB, answers in ${durationText(overview.store.pingMs)}`,
    ...problems(overview),
    summary(overview.queues),
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

function summary(queues: readonly QueueOverview[]): string {
  const sum = (name: Summed) => queues.reduce((total, queue) => total + queue[name], 0);
  return [
    `${sum("failed") - sum("cancelled")} failed`,
    `${sum("inDoubt")} in doubt`,
    `${sum("waiting") + sum("prioritized")} waiting`,
    `${sum("active")} running`,
    `${rateText(sum("completedPerSecond"))} completed a second over 10 s`,
    `${rateText(sum("failedPerSecond"))} failed a second`,
  ].join(", ");
}

function typesTable(types: readonly TypeOverview[], now: number, width: number): Lines {
  const hasBudget = types.some(({ keptBytes }) => keptBytes !== null);
  const columns = [
    { heading: "type" },
    { heading: "running" },
    { heading: "waiting" },
    { heading: "oldest" },
    { heading: "completed/s 5min", leaves: 4 },
    { heading: "start p99 1h", leaves: 3 },
    { heading: "run p99 1h", leaves: 5 },
    { heading: "retried 1h", leaves: 2 },
    { heading: "failed 1h" },
    { heading: "in doubt 1h", leaves: 1 },
    ...(hasBudget
      ? [
          { heading: "completed MiB", leaves: 0 },
          { heading: "failed MiB", leaves: 0 },
        ]
      : []),
  ];
  const rows = types.map(({ lastHour, ...type }) => [
    type.type,
    String(type.active),
    `${type.isEstimate ? "~" : ""}${type.waiting}`,
    ageText(type.oldestWaitingSince, now),
    rateText(type.completedPerSecond),
    timeOrNone(lastHour.timeToStart.p99),
    timeOrNone(lastHour.runTime.p99),
    String(lastHour.retried),
    String(lastHour.failed),
    String(lastHour.inDoubt),
    ...(hasBudget ? [mebibytes(type.keptBytes?.completed), mebibytes(type.keptBytes?.failed)] : []),
  ]);
  return tableLines(columns, rows, width);
}

function queuesTable(queues: readonly QueueOverview[], now: number, width: number): Lines {
  const columns = [
    { heading: "queue" },
    { heading: "waiting" },
    { heading: "oldest" },
    { heading: "active" },
    { heading: "delayed", leaves: 1 },
    { heading: "completed kept", leaves: 3 },
    { heading: "failed kept" },
    { heading: "in doubt", leaves: 2 },
    { heading: "" },
  ];
  const rows = queues.map((queue) => [
    queue.name,
    String(queue.waiting + queue.prioritized),
    ageText(queue.oldestWaitingSince, now),
    String(queue.active),
    String(queue.delayed),
    String(queue.completed),
    String(queue.failed - queue.cancelled),
    String(queue.inDoubt),
    stateText(queue),
  ]);
  return tableLines(columns, rows, width);
}

/** Without any, there is nothing to show. */
function actsLine({ running, waiting, oldestWaitingSince }: Overview["acts"], now: number): Cell[][][] {
  if (running + waiting === 0) return [];
  const since = oldestWaitingSince === null ? "" : `, the next for ${ageText(oldestWaitingSince, now)}`;
  const text = `acts: ${running} running, ${waiting} waiting${since}`;
  return [[running === 0 ? [toned(text, "warning")] : [text]]];
}

function stateText(queue: QueueOverview): Cell {
  const { workers, limits, clearsInMs } = queue;
  const limit = [limits.rate, limits.concurrency && `${limits.concurrency} at a time`]
    .filter(Boolean)
    .join(", ");
  const clears =
    limits.rate === null || !clearsInMs ? "" : `: the last starts in ${durationText(clearsInMs)}`;
  const parts = [workers === 0 && "no worker", pausedText(queue), limit && `limited to ${limit}${clears}`];
  return toned(parts.filter(Boolean).join("; "), workers === 0 ? "bad" : "warning");
}

function pausedText({ isPaused, paused }: QueueOverview): string {
  if (!isPaused) return "";
  return paused === null || paused.reason === "" ? "paused" : `paused by ${paused.by}: ${paused.reason}`;
}

function workersTable(workers: readonly WorkerOverview[], now: number, width: number): Lines {
  if (workers.every(({ isSilent, holds }) => isSilent && holds.length === 0))
    return "No worker is running. Jobs are accepted, and wait for one.";
  const columns = [
    { heading: "worker" },
    { heading: "queue" },
    { heading: "busy" },
    { heading: "up", leaves: 1 },
    { heading: "" },
    { heading: "runs" },
  ];
  const rows = workers
    // Stale ones without jobs have nothing to say.
    .filter(({ isSilent, holds }) => !isSilent || holds.length > 0)
    .map((worker) => [
      worker.name,
      worker.queue,
      worker.isGone ? "" : `${Math.max(worker.running, worker.holds.length)} of ${worker.concurrency}`,
      worker.isSilent ? "" : ageText(worker.startedAt, now),
      troubleOf(worker),
      holdsText(worker, now),
    ]);
  return tableLines(columns, rows, width);
}

function troubleOf({ isGone, isSilent, isStuck, isClockWrong }: WorkerOverview): string {
  if (isGone) return "stopped";
  if (isSilent) return "stale";
  if (isClockWrong) return "clock wrong";
  return isStuck ? "stuck" : "";
}

function holdsText({ holds }: WorkerOverview, now: number): string {
  const named = holds.slice(0, JOBS_NAMED).map(({ type, since }) => `${type} for ${ageText(since, now)}`);
  const more = holds.length > JOBS_NAMED ? [`${holds.length - JOBS_NAMED} more`] : [];
  return [...named, ...more].join(", ");
}

function ageText(since: string | null, now: number): string {
  if (since === null) return "-";
  return durationText(Math.max(0, Math.floor((now - Date.parse(since)) / 1_000) * 1_000));
}

function mebibytes(bytes = 0): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** "-" for none. */
export function timeOrNone(ms: number | null): string {
  return ms === null ? "-" : durationText(ms);
}

function rateText(value: number): string {
  return String(value < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}
