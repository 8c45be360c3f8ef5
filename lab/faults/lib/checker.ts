import type { JobStatus } from "holdfast";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes } from "../../lib/waiting.ts";
import { findStuck } from "./doubt-check.ts";
import type { Outage } from "./outages.ts";
import { allEnded, hasEnded, type Testbed } from "./testbed.ts";
import type { Step } from "./trace-reader.ts";

/** The outcome of a run, each kind counted separately. */
export interface Counts {
  acknowledged: number;
  /** Acknowledged, but not found. */
  lost: number;
  /** Accepted by a try without an answer; the retry with the same key found the job. */
  recovered: number;
  /** Effects that happened more than once. */
  repeated: number;
  /** Completed jobs whose effect never happened. */
  falselyDone: number;
  /** In doubt; the effect happened. */
  doubtDone: number;
  /** In doubt; the effect did not happen. */
  doubtNotDone: number;
  /** In doubt although no fault hit the effect's window. */
  unexplained: number;
  /** Interrupted inside the window, but not in doubt. */
  concealed: number;
  /** Late workers that were refused. */
  refused: number;
  /** Failed for a reason other than a doubt. */
  failed: number;
  notEnded: number;
  /** Doubts that could not be listed, resolved or finished: the subject of G10. */
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
  /** How many effects the witness received for it. */
  readonly witnessed: number;
  readonly steps: readonly Step[];
}

export interface Verdict {
  readonly counts: Counts;
  readonly jobs: readonly JobRecord[];
  /** The jobs that show a broken guarantee, for the replay. */
  readonly findings: readonly string[];
  /** Processes that ended by themselves: no fault is a reason for that. */
  readonly ended: readonly string[];
}

const STATUS_LANES = 32;
const FINDINGS_MAX = 20;
const HISTORY_MAX = 40;

/** Waits for the end of all jobs, and compares the client's and the witness's lists with the final state. */
export async function check(testbed: Testbed, withinMs: number): Promise<Verdict> {
  const { statuses, notEnded } = await statusesAtEnd(testbed, withinMs);
  const witnessed = new Map<string, number>();
  const repeating = new Set<string>();
  const repeats = new Map<string, number>();
  for (const { key, job } of testbed.witnessed()) {
    witnessed.set(job, (witnessed.get(job) ?? 0) + 1);
    if (repeats.has(key)) repeating.add(job);
    repeats.set(key, (repeats.get(key) ?? 0) + 1);
  }
  const inOrder = [...testbed.trace.read()].sort((a, b) => a.at - b.at);
  const steps = groupBy(inOrder, ({ jobId }) => jobId);
  const jobs = testbed.client.acknowledged.map(
    ({ key, id }): JobRecord => ({
      key,
      id,
      status: statuses.get(id),
      witnessed: witnessed.get(key) ?? 0,
      steps: steps.get(id) ?? [],
    }),
  );

  const counts: Counts = { ...noCounts };
  counts.acknowledged = testbed.client.acknowledged.length;
  counts.recovered = testbed.client.acknowledged.filter(({ isRecovered }) => isRecovered).length;
  counts.repeated = [...repeats.values()].filter((times) => times > 1).length;
  counts.refused = refusals(testbed.trace.read());
  const deadLives = new Set(testbed.deaths.map(({ life }) => life));
  const pauses = injectionsIn(inOrder).filter(({ detail }) => detail.startsWith("stop"));
  const findings = jobs.filter(({ key }) => repeating.has(key)).map((job) => `repeated: ${historyOf(job)}`);
  for (const job of jobs) {
    for (const kind of judge(job, { deadLives, pauses, outages: testbed.outages.all, notEnded })) {
      counts[kind] += 1;
      if (!ordinary.has(kind)) findings.push(`${kind}: ${historyOf(job)}`);
    }
  }
  const stuck = testbed.isControl ? [] : await findStuck(testbed, jobs);
  counts.stuck = stuck.length;
  return { counts, jobs, findings: [...stuck, ...findings].slice(0, FINDINGS_MAX), ended: testbed.ended() };
}

/** A failover, also one that only a busy machine caused, takes back ends that no replica had: those jobs end once more. */
async function statusesAtEnd(testbed: Testbed, withinMs: number) {
  const { client } = testbed;
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const notEnded = await allEnded(testbed, giveUpAt - performance.now());
    const statuses = new Map<string, JobStatus | undefined>();
    await inLanes(client.acknowledged, STATUS_LANES, async ({ id }) => {
      statuses.set(id, await client.status(id));
    });
    const open = [...statuses].filter(([id, status]) => !hasEnded(status) && !notEnded.has(id));
    if (open.length === 0) return { statuses, notEnded };
    if (performance.now() >= giveUpAt)
      return { statuses, notEnded: new Set([...notEnded, ...open.map(([id]) => id)]) };
  }
}

/** What a fault may cause. */
const ordinary: ReadonlySet<keyof Counts> = new Set(["doubtDone", "doubtNotDone"]);

interface Known {
  readonly deadLives: ReadonlySet<string>;
  /** Pauses of workers. */
  readonly pauses: readonly Step[];
  readonly outages: readonly Outage[];
  readonly notEnded: ReadonlySet<string>;
}

/** The counts a job belongs to. */
function judge(job: JobRecord, known: Known): (keyof Counts)[] {
  const { status, witnessed, steps } = job;
  if (status === undefined) return ["lost"];
  if (known.notEnded.has(job.id)) return ["notEnded"];
  if (status.state === "completed") {
    if (!withEffect.has(status.type)) return [];
    return [
      ...(witnessed === 0 ? (["falselyDone"] as const) : []),
      ...(mustBeInDoubt(steps, known) ? (["concealed"] as const) : []),
    ];
  }
  if (status.error?.code !== "EFFECT_IN_DOUBT") return ["failed"];
  return [
    witnessed > 0 ? "doubtDone" : "doubtNotDone",
    ...(mayBeInDoubt(steps, known) ? [] : (["unexplained"] as const)),
  ];
}

/** Types whose jobs complete only if their effect happened. */
const withEffect: ReadonlySet<string> = new Set(["act", "call", "several", "cards"]);

/** Only the worker knows whether the effect happened. */
const inside: ReadonlySet<string> = new Set([
  "reserve:after",
  "effect:begun",
  "calls",
  "unproved",
  "effect:recorded",
]);
/** Redis may have received the command: both outcomes are right. */
const border: ReadonlySet<string> = new Set(["reserve:before", "proved", "either", "commit:before"]);

/** The worker died inside the window. */
function mustBeInDoubt(steps: readonly Step[], { deadLives }: Known): boolean {
  return starts(steps).some((start) => {
    const { life, event, detail } = lastOf(start);
    if (!deadLives.has(life)) return false;
    // Killed at the point itself, before it sent its commit.
    if (event === "injected") return inside.has(pointOf(detail)) || pointOf(detail) === "commit:before";
    return inside.has(event);
  });
}

/** A death, a pause, an outage, a misbehaving downstream or the effect's own time-out hit the window. */
function mayBeInDoubt(steps: readonly Step[], known: Known): boolean {
  if (steps.some((step) => isGivenUp(step) || isUnproved(step))) return true;
  return starts(steps).some((start) => {
    const last = lastOf(start);
    const isOpen = inside.has(last.event) || border.has(last.event) || last.event === "injected";
    if (known.deadLives.has(last.life) && isOpen) return true;
    const [first] = start;
    const isPaused = ({ life, at }: Step) =>
      life === last.life && first !== undefined && first.at <= at && at <= last.at;
    if (known.pauses.some(isPaused)) return true;
    return known.outages.some(({ from, to }) => start.some(({ at }) => at <= to) && last.at >= from - 1_000);
  });
}

/** The downstream left a call without a proof that its client saw. */
function isUnproved({ event }: Step): boolean {
  return event === "unproved" || event === "either";
}

/** The worker itself ended the effect: it timed out or lost its lock, for example on a busy machine. */
export function isGivenUp({ event, detail }: Step): boolean {
  return event === "threw" && /TIMED_OUT|LOCK_LOST/.test(detail);
}

/** The steps of one job by worker process. A process rarely runs a job twice; then only its last start counts. */
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

/** Reservations refused because another worker has the job, and reports that came too late. */
export function refusals(steps: readonly Step[]): number {
  return steps.filter(({ event, detail }) => event === "threw" && /^LOCK_LOST|\/LATE$/.test(detail)).length;
}

function historyOf({ key, id, status, witnessed, steps }: JobRecord): string {
  const path = steps
    .slice(-HISTORY_MAX)
    .map(({ life, event, detail, at }) => `${at} ${life} ${event}${detail === "-" ? "" : ` ${detail}`}`);
  const { code = "", message = "" } = status?.error ?? {};
  const known = JSON.stringify(status?.effects ?? {});
  return `${key} ${id} ${status?.state ?? "gone"} ${code} witnessed ${witnessed}: ${path.join(", ")}; ${message}; ${known}`;
}

/** The injected faults among the steps. */
export function injectionsIn(steps: readonly Step[]): Step[] {
  return steps.filter(({ event }) => event === "injected");
}

/** Whether it began more often than attempts of it ended: a failed attempt, such as one that Redis did not answer in time, begins another. */
export function isStartedTwice({ status, steps }: JobRecord): boolean {
  const begun = steps.filter(({ event }) => event === "begun").length;
  return begun > Math.max(1, status?.attemptsMade ?? 1);
}
