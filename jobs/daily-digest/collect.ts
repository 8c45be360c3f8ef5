import type { Application, Doubt, JobState, Operator } from "holdfast";
import { oneLine } from "../mail-text.ts";
import { dailyDigest } from "./contract.ts";

/** The content of a digest. All texts are single lines. */
export interface Digest {
  readonly from: Date;
  readonly to: Date;
  /** By type, in alphabetical order, without types that have no jobs. */
  readonly counts: readonly TypeCounts[];
  /** By reason, latest failure first. */
  readonly failures: readonly FailureGroup[];
  /** Oldest first. */
  readonly doubts: readonly OpenDoubt[];
  /** How many more there are than listed. */
  readonly omitted: { readonly failures: number; readonly doubts: number };
  /** Counts that stopped at the limit. */
  readonly cutShort: readonly Counted[];
}

export interface TypeCounts {
  readonly type: string;
  readonly completed: number;
  readonly failed: number;
  /** Waiting, delayed or prioritized now, not in the span. */
  readonly waiting: number;
}

export type Counted = "completed" | "failed" | "waiting";

export interface FailureGroup {
  readonly type: string;
  readonly reason: string;
  readonly count: number;
  readonly exampleJobId: string;
}

export interface OpenDoubt {
  readonly effect: string;
  readonly jobId: string;
  readonly reason: string;
  readonly ageMs: number;
}

export interface Span {
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
}

type Source = Pick<Operator, "list" | "doubts" | "doubtCounts">;
type ListedJob = Awaited<ReturnType<Operator["list"]>>["jobs"][number];

/** The most jobs to read for each count. */
export const READ_MAX = 10_000;
const PAGE = 200;
const FAILURES_MAX = 20;
const DOUBTS_MAX = 20;
const REASON_MAX = 200;

/** Reads what became of the jobs of a span, as far as Redis still has them. */
export async function collectDigest(
  source: Source,
  { jobs: contracts, queues }: Pick<Application, "jobs" | "queues">,
  span: Span,
  now: Date,
): Promise<Digest> {
  const endedIn = async (state: JobState) => {
    // Each queue lists its newest jobs first, so everything after one that is too old is too old.
    const unread = new Set(queues);
    const read = await readJobs(source, [state], (job) => {
      if (endOf(job) < span.from.getTime()) unread.delete(contracts.get(job.type)?.queue ?? "");
      return unread.size > 0;
    });
    return { ...read, jobs: read.jobs.filter((job) => isWithin(span, job) && isNews(job)) };
  };
  const completed = await endedIn("completed");
  const failed = await endedIn("failed");
  const waiting = await readJobs(source, ["waiting", "delayed", "prioritized"], () => true);
  const groups = groupFailures(failed.jobs);
  const doubts = await source.doubts(0, DOUBTS_MAX);
  const doubtCount = [...(await source.doubtCounts()).values()].reduce((sum, { count }) => sum + count, 0);
  return {
    ...span,
    counts: countByType({ completed: completed.jobs, failed: failed.jobs, waiting: waiting.jobs }),
    failures: groups.slice(0, FAILURES_MAX),
    doubts: doubts.map((doubt) => openDoubt(doubt, now)),
    omitted: {
      failures: Math.max(0, groups.length - FAILURES_MAX),
      doubts: Math.max(0, doubtCount - doubts.length),
    },
    cutShort: Object.entries({ completed, failed, waiting }).flatMap(([name, { isCutShort }]) =>
      isCutShort ? [name as Counted] : [],
    ),
  };
}

/** Reads jobs until there are no more, `goesOn` returns false, or the limit is reached. */
async function readJobs(
  source: Source,
  states: readonly JobState[],
  goesOn: (job: ListedJob) => boolean,
): Promise<{ jobs: ListedJob[]; isCutShort: boolean }> {
  const jobs: ListedJob[] = [];
  for (const state of states) {
    let cursor: string | null | undefined;
    while (cursor !== null) {
      if (jobs.length >= READ_MAX) return { jobs, isCutShort: true };
      const page = await source.list({ state, limit: PAGE, cursor });
      jobs.push(...page.jobs);
      if (!page.jobs.every(goesOn)) break;
      cursor = page.nextCursor;
    }
  }
  return { jobs, isCutShort: false };
}

function endOf({ finishedAt }: ListedJob): number {
  return Date.parse(finishedAt ?? "");
}

function isWithin({ from, to }: Span, job: ListedJob): boolean {
  return endOf(job) >= from.getTime() && endOf(job) < to.getTime();
}

/** A digest that was sent is no news. */
function isNews({ type, state }: ListedJob): boolean {
  return type !== dailyDigest.type || state === "failed";
}

function countByType(jobs: Readonly<Record<Counted, readonly ListedJob[]>>): TypeCounts[] {
  const of = (counted: Counted, wanted: string) => jobs[counted].filter(({ type }) => type === wanted).length;
  const types = new Set(Object.values(jobs).flatMap((list) => list.map(({ type }) => type)));
  return [...types].sort().map((type) => ({
    type: oneLine(type),
    completed: of("completed", type),
    failed: of("failed", type),
    waiting: of("waiting", type),
  }));
}

function groupFailures(failed: readonly ListedJob[]): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const { id, type, error } of failed) {
    const reason = shorten(error === null ? "unknown" : `${error.code}: ${error.message}`);
    const name = `${type} ${reason}`;
    const group = groups.get(name) ?? { type: oneLine(type), reason, count: 0, exampleJobId: oneLine(id) };
    groups.set(name, { ...group, count: group.count + 1 });
  }
  return [...groups.values()];
}

function openDoubt({ effect, jobId, reason, since }: Doubt, now: Date): OpenDoubt {
  return {
    effect: oneLine(effect),
    jobId: oneLine(jobId),
    reason: shorten(reason),
    ageMs: Math.max(0, now.getTime() - Date.parse(since)),
  };
}

/** Error messages can be long and contain anything. */
function shorten(text: string): string {
  const line = oneLine(text);
  return line.length > REASON_MAX ? `${line.slice(0, REASON_MAX - 1).toWellFormed()}…` : line;
}
