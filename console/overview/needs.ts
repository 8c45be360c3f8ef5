import { count, counted } from "../parts/format.ts";
import type { IconName } from "../parts/icon.tsx";
import type {
  Overview,
  QueueOverview,
  ServiceProblem,
  TypeOverview,
  WorkerOverview,
} from "../service/answers.ts";
import { refusesWork } from "../service/live.tsx";

/** A job that waits longer than this is late. */
const LATE_MS = 5 * 60_000;
/** A limit that jobs wait for longer than this needs a look. */
const SLOW_MS = 10 * 60_000;

/** Something that needs a person. */
export interface Need {
  readonly id: string;
  readonly icon: IconName;
  readonly tone: "bad" | "doubt" | "quiet";
  readonly title: string;
  /** Text from outside, e.g. a reason. */
  readonly detail?: string;
  readonly since?: string | null;
  readonly problem?: ServiceProblem;
  readonly to?: string;
  readonly link?: string;
  /** The queue that it is about, where that is paused. */
  readonly paused?: string;
  /** What is paused or limited of a queue. */
  readonly curbed?: { readonly queue: string; readonly curb: Curb };
  /** The worker that is quiet. */
  readonly quiet?: { readonly name: string; readonly quiet: NonNullable<WorkerOverview["quiet"]> };
}

type Curb = QueueOverview["curbs"][number];

/**
 * What needs a person, what refuses work first.
 *
 * @param parked rows of the outbox that no relay can submit
 * @param now the service's time, in milliseconds since 1970
 */
export function needsOf(overview: Overview, parked: number, now: number): Need[] {
  const { problems, queues, types, workers } = overview;
  const found = problems.map(problemNeed);
  return [
    ...found.filter(({ problem }) => problem !== undefined && refusesWork(problem)),
    ...found.filter(({ problem }) => problem !== undefined && !refusesWork(problem)),
    ...doubtNeed(overview),
    ...queues.flatMap(pauseNeed),
    ...queues.flatMap(curbNeeds),
    ...queues.flatMap(allQuietNeed),
    ...quietNeeds(workers),
    ...failedNeed(queues, types),
    ...queues.flatMap((queue) => lateNeed(queue, now)),
    ...parkedNeed(parked),
    ...queues.flatMap(limitNeed),
    ...stillRunningNeeds(workers),
    ...lostNeeds(workers),
  ];
}

function problemNeed(problem: ServiceProblem): Need {
  return { id: problem.message, icon: "alert", tone: "bad", title: problem.message, problem };
}

/** Also of effects that no job runs. */
function doubtNeed({ queues, guarded }: Overview): Need[] {
  const all = [...queues, guarded];
  const total = sum(all.map(({ inDoubt }) => inDoubt));
  if (total === 0) return [];
  const title = total === 1 ? "1 effect is in doubt" : `${count(total)} effects are in doubt`;
  const since = oldest(all.map(({ oldestDoubtSince }) => oldestDoubtSince));
  return [
    { id: "doubts", icon: "circle-question", tone: "doubt", title, since, to: "/doubts", link: "Resolve" },
  ];
}

function failedNeed(queues: readonly QueueOverview[], types: readonly TypeOverview[]): Need[] {
  const total = sum(queues.map(({ failed }) => failed));
  if (total === 0) return [];
  const isExact = queues.every(({ isFailedExact }) => isFailedExact);
  const title = `${isExact ? "" : "at least "}${counted(total, "job has failed", "jobs have failed")}`;
  return [
    {
      id: "failed",
      icon: "circle-failed",
      tone: "bad",
      title,
      detail: latestFailures(types),
      to: "/failed",
      link: "See why",
    },
  ];
}

const NAMED_MAX = 2;

/** What failed in the last hour, by type, the most first. */
function latestFailures(types: readonly TypeOverview[]): string {
  const failing = types
    .filter(({ lastHour }) => lastHour.failed > 0)
    .toSorted((one, other) => other.lastHour.failed - one.lastHour.failed);
  if (failing.length === 0) return "none in the last hour";
  const named = failing
    .slice(0, NAMED_MAX)
    .map(({ type, lastHour }) => `${count(lastHour.failed)} of ${type}`);
  const others = failing.length > NAMED_MAX ? ", and others" : "";
  return `in the last hour ${named.join(", ")}${others}`;
}

/** Jobs that wait for a worker, in line or by priority. */
export function waitingIn({ waiting, prioritized }: QueueOverview): number {
  return waiting + prioritized;
}

function pauseNeed(queue: QueueOverview): Need[] {
  const { name, isPaused, paused } = queue;
  if (!isPaused) return [];
  const waiting = waitingIn(queue);
  const jobs = waiting === 0 ? "" : `: ${counted(waiting, "job waits", "jobs wait")}`;
  const by = paused?.by ? ` (${paused.by})` : "";
  return [
    {
      id: `paused ${name}`,
      icon: "paused",
      tone: "doubt",
      title: `${name} is paused${jobs}`,
      detail: paused?.reason ? `${paused.reason}${by}` : "by another tool",
      since: paused?.since ?? null,
      paused: name,
    },
  ];
}

/** Whether workers of a queue are alive, and each of them was told to claim no more jobs. */
export function areAllQuiet({ workers, quietWorkers }: QueueOverview): boolean {
  return workers > 0 && quietWorkers === workers;
}

function allQuietNeed(queue: QueueOverview): Need[] {
  const { name, isPaused } = queue;
  if (isPaused || !areAllQuiet(queue)) return [];
  const waiting = waitingIn(queue);
  const jobs = waiting === 0 ? "" : `: ${counted(waiting, "job waits", "jobs wait")}`;
  return [
    {
      id: `all quiet ${name}`,
      icon: "paused",
      tone: waiting === 0 ? "doubt" : "bad",
      title: `All workers of ${name} are quiet${jobs}`,
    },
  ];
}

/** One for each process, however many queues it has. */
function quietNeeds(workers: readonly WorkerOverview[]): Need[] {
  const found = new Map<string, NonNullable<WorkerOverview["quiet"]>>();
  for (const { name, quiet } of workers) if (quiet !== null && !found.has(name)) found.set(name, quiet);
  return [...found].map(([name, quiet]) => ({
    id: `quiet ${name}`,
    icon: "paused",
    tone: "doubt",
    title: quiet.hasHeard ? `Worker ${name} is quiet` : `Worker ${name} is told to be quiet`,
    detail: `${quiet.reason} (${quiet.by})`,
    since: quiet.since,
    quiet: { name, quiet },
  }));
}

/** A type or a key that somebody has paused or limited. */
function curbNeeds({ name: queue, curbs }: QueueOverview): Need[] {
  return curbs.map((curb): Need => {
    const { type, key, concurrency, reason, by, since, held } = curb;
    const what = type === null ? `key ${key} of ${queue}` : `type ${type} of ${queue}`;
    const how = concurrency === null ? "is paused" : `is limited to ${concurrency} at a time`;
    const jobs = held === 0 ? "" : `: ${counted(held, "job is held", "jobs are held")}`;
    return {
      id: `curb ${queue} ${type} ${key}`,
      icon: concurrency === null ? "paused" : "limited",
      tone: concurrency === null ? "doubt" : "quiet",
      title: `${what} ${how}${jobs}`,
      detail: concurrency === null ? `${reason} (${by})` : by,
      since,
      curbed: { queue, curb },
    };
  });
}

function lateNeed(queue: QueueOverview, now: number): Need[] {
  const { name, isPaused, oldestWaitingSince: since } = queue;
  if (isPaused || since === null || now - Date.parse(since) < LATE_MS) return [];
  const title = `${name} is late: ${counted(waitingIn(queue), "job waits", "jobs wait")}`;
  const to = `/jobs?queue=${encodeURIComponent(name)}&state=waiting`;
  return [{ id: `late ${name}`, icon: "late", tone: "doubt", title, since, to, link: "See them" }];
}

function parkedNeed(parked: number): Need[] {
  if (parked === 0) return [];
  const title =
    parked === 1 ? "1 row of the outbox is parked" : `${count(parked)} rows of the outbox are parked`;
  return [{ id: "parked", icon: "parked", tone: "bad", title, to: "/outbox", link: "See them" }];
}

function limitNeed(queue: QueueOverview): Need[] {
  const { name, limitedBy, clearsInMs, limits } = queue;
  const waiting = waitingIn(queue);
  const isSlow = (clearsInMs ?? 0) > SLOW_MS;
  if (waiting === 0 || (limitedBy === null && !isSlow)) return [];
  const texts = [limits.rate, limits.concurrency && `${limits.concurrency} at a time`].filter(Boolean);
  return [
    {
      id: `limited ${name}`,
      icon: "limited",
      tone: "quiet",
      title: `${name} is limited: ${counted(waiting, "job waits", "jobs wait")}`,
      detail: `${texts.join(", ")}${limitedBy === null ? "" : ` (${limitedBy})`}`,
    },
  ];
}

/** Handlers that ignore their signal: their jobs have ended, what they do still happens. */
function stillRunningNeeds(workers: readonly WorkerOverview[]): Need[] {
  return workers.flatMap(({ name, queue, isSilent, stillRuns }): Need[] => {
    const [first] = stillRuns;
    if (first === undefined) return [];
    const what = stillRuns.length === 1 ? `${first.type} ` : counted(stillRuns.length, "job", "jobs");
    return [
      {
        id: `still running ${queue} ${name}`,
        icon: "late",
        tone: "doubt",
        title: `${what.trim()} was told to stop and ${isSilent ? "may still run" : "still runs"} on ${name}`,
        since: oldest(stillRuns.map(({ toldAt }) => toldAt)),
        to: `/jobs/${encodeURIComponent(first.jobId)}`,
        link: stillRuns.length === 1 ? "See it" : "See the first",
      },
    ];
  });
}

/** One for each process that has gone, however many queues it had. */
function lostNeeds(workers: readonly WorkerOverview[]): Need[] {
  const lost = new Map<string, WorkerOverview[]>();
  for (const worker of workers)
    if (worker.isSilent && worker.holds.length > 0)
      lost.set(worker.name, [...(lost.get(worker.name) ?? []), worker]);
  return [...lost].map(([name, parts]): Need => {
    const jobs = sum(parts.map(({ holds }) => holds.length));
    return {
      id: `lost ${name}`,
      icon: "lost",
      tone: "doubt",
      title: `Worker ${name} is lost with ${counted(jobs, "job")}: another one gets ${jobs === 1 ? "it" : "them"}`,
      since: oldest(parts.map(({ seenAt }) => seenAt)),
    };
  });
}

export function oldest(instants: readonly (string | null)[]): string | null {
  return instants.filter((at) => at !== null).sort()[0] ?? null;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
