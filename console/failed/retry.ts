import type { ActStatus, JobsQuery } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { asProblem, codeOf } from "../service/problem.ts";

/** Failed jobs to retry together. */
export interface RetryPlan {
  readonly parts: readonly RetryPart[];
  /** Whether there may be more than were counted. */
  readonly isAtLeast: boolean;
  /** Jobs that stay as they are: those in doubt, and cancelled ones that nobody chose. */
  readonly inDoubt: number;
  readonly cancelled: number;
  /** When they were counted, by the service's clock: jobs that fail later are not meant. @default now */
  readonly before?: string | undefined;
  /** What to show instead of the parts. */
  readonly lines?: readonly Pick<RetryPart, "name" | "count">[];
}

/** Either all jobs that match, or chosen ones. */
export interface RetryPart {
  /** What they are, for people. */
  readonly name: string;
  readonly count: number;
  readonly select: FilteredJobs | { readonly chosen: readonly ChosenJob[] };
}

/** A failed job as somebody has seen it: if it has run again since, it is left alone. */
export interface ChosenJob {
  readonly id: string;
  readonly finishedAt: string | null;
}

/** As a body of `POST /jobs/acts` has it. */
type FilteredJobs = { readonly filter: JobsQuery } | { readonly all: true };

interface Counts {
  readonly retried: number;
  /** Jobs that were no longer failed, or had failed anew. */
  readonly skipped: number;
}

export interface RetryProgress extends Counts {
  /** How many acts the service has accepted: of these, workers do the rest without this page. */
  readonly accepted: number;
  /** Of the latest act. */
  readonly act: ActState | null;
}

/** `unseen`: the service does not say at the moment. */
type ActState = "waiting" | "running" | "ended" | "unseen";

/** Why, and how fast, where that matters. */
export interface RetryTerms {
  readonly reason: string;
  /** Such as `50/s`; empty for as fast as possible. */
  readonly rate: string;
  /** Jobs that fail later are not meant. */
  readonly before: string;
  /** Makes it safe to ask again with the same terms. */
  readonly key: string;
}

const POLL_MS = 300;

/** Why the signal is aborted where a person has left the page. */
export const LEFT = "left";

export function countOf({ parts }: Pick<RetryPlan, "parts">): number {
  return parts.reduce((total, { count }) => total + count, 0);
}

/** Whether a worker does it, as an act on many jobs. */
export function isAct({ parts }: RetryPlan): boolean {
  return parts.some(({ select }) => !("chosen" in select));
}

export const nothingRetried: RetryProgress = { retried: 0, skipped: 0, accepted: 0, act: null };

/** Retries part by part, and yields the progress. The signal stops it. @throws HoldfastError, also before anything is accepted */
export async function* retryAll(
  { parts }: RetryPlan,
  terms: RetryTerms,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  let before = nothingRetried;
  for (const [index, { select }] of parts.entries()) {
    const own = { ...terms, key: `${terms.key}-${index}` };
    let part = nothingRetried;
    for await (part of "chosen" in select ? retryEach(select.chosen) : retryMatching(select, own, signal)) {
      yield sum(before, part);
      if (signal.aborted && "chosen" in select) return;
    }
    before = sum(before, part);
    if (signal.aborted) return;
  }
}

function sum(a: RetryProgress, b: RetryProgress): RetryProgress {
  const counts = { retried: a.retried + b.retried, skipped: a.skipped + b.skipped };
  return { ...counts, accepted: a.accepted + b.accepted, act: b.act };
}

/** Follows an act to its end. Whoever leaves the page does not stop it. */
async function* retryMatching(
  select: FilteredJobs,
  { reason, rate, before, key }: RetryTerms,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  const act = { act: "retry", ...select, reason, before, ...(rate !== "" && { rate }) } as const;
  const id = await service.startAct(act, { idempotencyKey: key });
  let seen: RetryProgress = { ...nothingRetried, accepted: 1, act: "waiting" };
  yield seen;
  let isStopped = false;
  while (signal.reason !== LEFT) {
    if (signal.aborted && !isStopped) isStopped = await isReached(() => service.stopAct(id));
    const act = await unlessAway(() => service.act(id));
    seen = act === undefined ? { ...seen, act: "unseen" } : progressOf(act);
    yield seen;
    if (act?.state === "failed") throw new Error(act.error ?? "The act failed");
    if (seen.act === "ended") return;
    await pause(POLL_MS, isStopped ? undefined : signal);
  }
}

function progressOf({ done, skipped, endedAt, state }: ActStatus): RetryProgress {
  const act = endedAt !== null ? "ended" : state === "waiting" ? "waiting" : "running";
  return { retried: done, skipped, accepted: 1, act };
}

/** Undefined where the service cannot be asked now: that says nothingRetried of the act. */
async function unlessAway<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (thrown) {
    const { status } = asProblem(thrown);
    if ([0, 401].includes(status) || status >= 500) return undefined;
    throw thrown;
  }
}

/** Whether it was asked; a refusal means that the act has ended already. */
async function isReached(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    return (await unlessAway(ask)) !== undefined;
  } catch {
    return true;
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function* retryEach(chosen: readonly ChosenJob[]): AsyncGenerator<RetryProgress> {
  let progress = nothingRetried;
  for (const job of chosen) {
    progress = sum(progress, { ...nothingRetried, ...(await retryOne(job)) });
    yield progress;
  }
}

const CHANGED: readonly unknown[] = ["JOB_NOT_FAILED", "JOB_NOT_FOUND", "CHANGED_MEANWHILE"];

async function retryOne({ id, finishedAt }: ChosenJob): Promise<Counts> {
  try {
    await service.retry(id, { expect: { state: "failed", finishedAt } });
    return { retried: 1, skipped: 0 };
  } catch (thrown) {
    if (CHANGED.includes(codeOf(thrown))) return { retried: 0, skipped: 1 };
    throw thrown;
  }
}
