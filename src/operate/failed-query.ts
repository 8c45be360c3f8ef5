import type { ErrorCode } from "../errors/error-codes.ts";
import { malformed } from "../lib/parse-json.ts";

/** Which failed jobs to retry. Cancelled jobs and jobs in doubt are among them only where their code is given. */
export interface FailedQuery {
  readonly type?: string | undefined;
  /** Why they failed, e.g. `HANDLER_FAILED`. */
  readonly code?: string | undefined;
  /** In place of type and code: every failed job. */
  readonly all?: true | undefined;
  /** Only those that failed until then, in milliseconds since 1970: what fails again is not retried for ever. */
  readonly before: number;
  /** How many to retry at most. A dry run is not bound by it. */
  readonly limit: number;
  /** Where an earlier call ended. */
  readonly cursor?: string | undefined;
  /** Changes nothing, and returns what would be retried. */
  readonly dryRun?: boolean | undefined;
}

export interface FailedJob {
  readonly id: string;
  readonly type: string;
  readonly code: ErrorCode;
  /** As the store holds it. */
  readonly reason: string;
}

/** Failed jobs that match, of one type and code. */
export interface MatchingGroup {
  readonly type: string;
  readonly code: ErrorCode;
  readonly count: number;
  /** Up to three of them. */
  readonly exampleIds: readonly string[];
}

const EXAMPLES_MAX = 3;

/** Somebody wanted the former not to run, and a retry alone does not help the latter. */
const onlyByCode: ReadonlySet<ErrorCode> = new Set(["CANCELLED", "EFFECT_IN_DOUBT"]);

/**
 * Whoever means every failed job says so.
 *
 * @throws HoldfastError `INVALID_REQUEST`
 */
export function requireFilter({ type, code, all }: FailedQuery): void {
  const isNarrow = type !== undefined || code !== undefined;
  if (isNarrow === (all === undefined)) return;
  throw malformed([
    isNarrow
      ? { pointer: "/all", message: "expected no such member beside type or code" }
      : { pointer: "", message: 'expected type, code or both, or "all": true for every failed job' },
  ]);
}

export function matches(job: FailedJob, query: FailedQuery): boolean {
  return isOfFilter(job, query) && !isLeftAlone(job, query);
}

/** Whether the filter holds, and the job is not meant all the same. */
export function isLeftAlone(job: FailedJob, query: FailedQuery): boolean {
  return isOfFilter(job, query) && onlyByCode.has(job.code) && query.code !== job.code;
}

function isOfFilter(job: FailedJob, { type, code }: FailedQuery): boolean {
  // One without a type is gone, though the list does not know it yet.
  return job.type !== "" && (type ?? job.type) === job.type && (code ?? job.code) === job.code;
}

/** By type and code, the most frequent first. */
export function groupsOf(jobs: readonly FailedJob[]): MatchingGroup[] {
  const groups = jobs.map(({ id, type, code }) => ({ type, code, count: 1, exampleIds: [id] }));
  return mergeGroups(groups);
}

/** Groups of several calls as one. */
export function mergeGroups(groups: readonly MatchingGroup[]): MatchingGroup[] {
  const merged = new Map<string, MatchingGroup>();
  for (const group of groups) {
    const name = `${group.type}\n${group.code}`;
    const { count, exampleIds } = merged.get(name) ?? { count: 0, exampleIds: [] };
    const examples = [...exampleIds, ...group.exampleIds].slice(0, EXAMPLES_MAX);
    merged.set(name, { ...group, count: count + group.count, exampleIds: examples });
  }
  return [...merged.values()].sort((a, b) => b.count - a.count);
}
