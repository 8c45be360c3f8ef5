import type { JobStatus } from "holdfast";
import { allEnded, type Bench, type Outage } from "./bench.ts";
import { findStuck } from "./doubt-check.ts";
import { groupBy } from "./group-by.ts";
import type { Step } from "./trace-reader.ts";
import { inLanes } from "./waiting.ts";

/** What came of a run, each thing counted apart. */
export interface Counts {
  acknowledged: number;
  /** Acknowledged, and not to be found. */
  lost: number;
  /** Accepted by a try that got no answer; the retry with the same key found the job. */
  recovered: number;
  /** Effects that happened more than once. */
  repeated: number;
  /** Jobs that said completed, and whose effect never happened. */
  falselyDone: number;
  /** In doubt, and in truth done. */
  doubtDone: number;
  /** In doubt, and in truth not done. */
  doubtNotDone: number;
  /** In doubt although no fault fell into the effect's window. */
  unexplained: number;
  /** Cut off where nobody could know, and yet not said to be in doubt. */
  concealed: number;
  /** Workers that came too late and were not let in. */
  refused: number;
  /** Failed for another reason than doubt. */
  failed: number;
  notEnded: number;
  /** Doubts that could not be listed, resolved or ended: what G10 says there are none of. */
  stuck: number;
  faults: number;
}

export const noCounts: Readonly<Counts> = {
  acknowledged: 0,
  lost: 0,
  recovered: 0,
  repeated: 0,
  falselyDone: 0,
  doubtDone: 0,
  doubtNotDone: 0,
  unexplained: 0,
  concealed: 0,
  refused: 0,
  failed: 0,
  notEnded: 0,
  stuck: 0,
  faults: 0,
};

export interface JobRecord {
  readonly key: string;
  readonly id: string;
  readonly status: JobStatus | undefined;
  /** How often the witness was told. */
  readonly told: number;
  readonly steps: readonly Step[];
}

export interface Verdict {
  readonly counts: Counts;
  readonly jobs: readonly JobRecord[];
  /** What each broken guarantee was seen on, for the replay. */
  readonly findings: readonly string[];
}

const STATUS_LANES = 32;
const FINDINGS_MAX = 20;
const TALE_MAX = 40;

/** Waits for the end of all jobs, and compares both lists with the final state. */
export async function check(bench: Bench, withinMs: number): Promise<Verdict> {
  const notEnded = await allEnded(bench, withinMs);
  const told = new Map<string, number>();
  const repeats = new Map<string, number>();
  for (const { key, job } of bench.told()) {
    told.set(job, (told.get(job) ?? 0) + 1);
    repeats.set(key, (repeats.get(key) ?? 0) + 1);
  }
  const inOrder = [...bench.trace.read()].sort((a, b) => a.at - b.at);
  const steps = groupBy(inOrder, ({ jobId }) => jobId);
  const jobs: JobRecord[] = [];
  await inLanes(bench.client.acknowledged, STATUS_LANES, async ({ key, id }) => {
    const status = await bench.client.status(id);
    jobs.push({ key, id, status, told: told.get(key) ?? 0, steps: steps.get(id) ?? [] });
  });

  const counts: Counts = { ...noCounts };
  counts.acknowledged = bench.client.acknowledged.length;
  counts.recovered = bench.client.acknowledged.filter(({ isRecovered }) => isRecovered).length;
  counts.repeated = [...repeats.values()].filter((times) => times > 1).length;
  counts.refused = refusals(bench.trace.read());
  const deadLives = new Set(bench.deaths.map(({ life }) => life));
  const pauses = injectionsIn(inOrder).filter(({ detail }) => detail.startsWith("stop"));
  const findings = jobs.filter((job) => job.told > 1).map((job) => `repeated: ${tale(job)}`);
  for (const job of jobs) {
    for (const kind of judge(job, { deadLives, pauses, outages: bench.outages, notEnded })) {
      counts[kind] += 1;
      if (!ordinary.has(kind)) findings.push(`${kind}: ${tale(job)}`);
    }
  }
  const stuck = bench.isControl ? [] : await findStuck(bench, jobs);
  counts.stuck = stuck.length;
  return { counts, jobs, findings: [...stuck, ...findings].slice(0, FINDINGS_MAX) };
}

/** What a fault may bring about. */
const ordinary: ReadonlySet<keyof Counts> = new Set(["doubtDone", "doubtNotDone"]);

interface Known {
  readonly deadLives: ReadonlySet<string>;
  /** When workers were stopped, each with all that they were at. */
  readonly pauses: readonly Step[];
  readonly outages: readonly Outage[];
  readonly notEnded: ReadonlySet<string>;
}

/** Which counts a job belongs to. */
function judge(job: JobRecord, known: Known): (keyof Counts)[] {
  const { status, told, steps } = job;
  if (status === undefined) return ["lost"];
  if (known.notEnded.has(job.id)) return ["notEnded"];
  if (status.state === "completed") {
    if (status.type !== "act" && status.type !== "late") return [];
    return [
      ...(told === 0 ? (["falselyDone"] as const) : []),
      ...(mustBeInDoubt(steps, known) ? (["concealed"] as const) : []),
    ];
  }
  if (status.error?.code !== "EFFECT_IN_DOUBT") return ["failed"];
  return [
    told > 0 ? "doubtDone" : "doubtNotDone",
    ...(mayBeInDoubt(steps, known) ? [] : (["unexplained"] as const)),
  ];
}

/** Between these and the next point nobody but the worker knows whether the effect happened. */
const inside: ReadonlySet<string> = new Set(["reserve:after", "effect:begun", "effect:recorded"]);
/** Here the store may have been asked already: both outcomes are right. */
const border: ReadonlySet<string> = new Set(["reserve:before", "commit:before"]);

/** A start was cut off inside the window by its worker's death. */
function mustBeInDoubt(steps: readonly Step[], { deadLives }: Known): boolean {
  return starts(steps).some((start) => {
    const { life, event, detail } = lastOf(start);
    if (!deadLives.has(life)) return false;
    // Struck at the point itself, the worker died before it sent its commit.
    if (event === "struck") return inside.has(pointOf(detail)) || pointOf(detail) === "commit:before";
    return inside.has(event);
  });
}

/** A death, a pause, an outage of the store or the effect's own time-out fell into the window. */
function mayBeInDoubt(steps: readonly Step[], known: Known): boolean {
  if (steps.some(isGivenUp)) return true;
  return starts(steps).some((start) => {
    const last = lastOf(start);
    const isOpen = inside.has(last.event) || border.has(last.event) || last.event === "struck";
    if (known.deadLives.has(last.life) && isOpen) return true;
    const [first] = start;
    const isPaused = ({ life, at }: Step) =>
      life === last.life && first !== undefined && first.at <= at && at <= last.at;
    if (known.pauses.some(isPaused)) return true;
    return known.outages.some(({ from, to }) => start.some(({ at }) => at <= to) && last.at >= from - 1_000);
  });
}

/** The worker itself ended the effect: its time was up, or its lock was gone, e.g. because the machine was busy. */
export function isGivenUp({ event, detail }: Step): boolean {
  return event === "threw" && /TIMED_OUT|LOCK_LOST/.test(detail);
}

/** The steps of one job by worker process; a process rarely takes a job twice, and then only its last start counts. */
function starts(steps: readonly Step[]): Step[][] {
  return [...groupBy(steps, ({ life }) => life).values()];
}

function lastOf(start: readonly Step[]): Step {
  const last = start.at(-1);
  if (last === undefined) throw new Error("A start without steps");
  return last;
}

function pointOf(detail: string): string {
  return detail.slice(detail.indexOf("@") + 1);
}

/** Reservations that were refused because the job is another's, and reports that came too late to be taken for a fact. */
export function refusals(steps: readonly Step[]): number {
  return steps.filter(({ event, detail }) => event === "threw" && /^LOCK_LOST|\/LATE$/.test(detail)).length;
}

function tale({ key, id, status, told, steps }: JobRecord): string {
  const path = steps
    .slice(-TALE_MAX)
    .map(({ life, event, detail }) => `${life} ${event}${detail === "-" ? "" : ` ${detail}`}`);
  return `${key} ${id} ${status?.state ?? "gone"} ${status?.error?.code ?? ""} told ${told}: ${path.join(", ")}`;
}

/** Strikes of the workers upon themselves or the store. */
export function injectionsIn(steps: readonly Step[]): Step[] {
  return steps.filter(({ event }) => event === "struck");
}
