import { readAct, stopAct } from "../acts/queries.ts";
import { send } from "../service/call.ts";
import { Problem } from "../service/problem.ts";

/** Failed jobs to retry together. */
export interface RetryPlan {
  readonly parts: readonly RetryPart[];
  /** Whether there may be more than were counted. */
  readonly isAtLeast: boolean;
  /** Jobs that stay as they are: those in doubt, and cancelled ones that nobody chose. */
  readonly inDoubt: number;
  readonly cancelled: number;
  /** What to show instead of the parts. */
  readonly lines?: readonly Pick<RetryPart, "name" | "count">[];
}

/** Either all jobs that match, or chosen ones. */
export interface RetryPart {
  /** What they are, for people. */
  readonly name: string;
  readonly count: number;
  readonly select: FilteredJobs | { readonly ids: readonly string[] };
}

/** As a body of `POST /jobs/acts` has it. */
type FilteredJobs =
  | { readonly filter: { readonly type: string; readonly code: string; readonly messagePattern?: string } }
  | { readonly all: true };

export interface RetryProgress {
  readonly retried: number;
  /** Jobs that were no longer failed. */
  readonly skipped: number;
}

/** Why, and how fast, where that matters. */
export interface RetryTerms {
  readonly reason: string;
  /** Such as `50/s`; empty for as fast as possible. */
  readonly rate: string;
}

const POLL_MS = 300;

/** Why the signal is aborted where a person has left the page. */
export const LEFT = "left";

export function countOf({ parts }: Pick<RetryPlan, "parts">): number {
  return parts.reduce((total, { count }) => total + count, 0);
}

/** Whether a worker does it, as an act on many jobs. */
export function isAct({ parts }: RetryPlan): boolean {
  return parts.some(({ select }) => !("ids" in select));
}

/** Retries part by part, and yields the progress. The signal stops it. */
export async function* retryAll(
  plan: RetryPlan,
  terms: RetryTerms,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  let before: RetryProgress = { retried: 0, skipped: 0 };
  for (const { select } of plan.parts) {
    let part: RetryProgress = { retried: 0, skipped: 0 };
    for await (part of "ids" in select ? retryEach(select.ids) : retryMatching(select, terms, signal)) {
      yield sum(before, part);
      if (signal.aborted && "ids" in select) return;
    }
    before = sum(before, part);
    if (signal.aborted) return;
  }
}

function sum(a: RetryProgress, b: RetryProgress): RetryProgress {
  return { retried: a.retried + b.retried, skipped: a.skipped + b.skipped };
}

/** Follows an act to its end. Whoever leaves the page does not stop it. */
async function* retryMatching(
  select: FilteredJobs,
  { reason, rate }: RetryTerms,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  const body = { act: "retry", ...select, reason, ...(rate !== "" && { rate }) };
  const { id } = await send<{ readonly id: string }>("jobs/acts", body);
  let isStopped = false;
  for (;;) {
    if (signal.reason === LEFT) return;
    if (signal.aborted && !isStopped) {
      isStopped = true;
      await stopAct(id).catch(() => {});
    }
    const { done, skipped, endedAt, state, error } = await readAct(id);
    yield { retried: done, skipped };
    if (state === "failed") throw new Error(error ?? "The act failed");
    if (endedAt !== null) return;
    await pause(POLL_MS, isStopped ? undefined : signal);
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function* retryEach(ids: readonly string[]): AsyncGenerator<RetryProgress> {
  let progress: RetryProgress = { retried: 0, skipped: 0 };
  for (const id of ids) {
    progress = sum(progress, await retryOne(id));
    yield progress;
  }
}

async function retryOne(id: string): Promise<RetryProgress> {
  try {
    await send(`jobs/${encodeURIComponent(id)}/retry`);
    return { retried: 1, skipped: 0 };
  } catch (thrown) {
    if (thrown instanceof Problem && ["JOB_NOT_FAILED", "JOB_NOT_FOUND"].includes(thrown.code)) {
      return { retried: 0, skipped: 1 };
    }
    throw thrown;
  }
}
