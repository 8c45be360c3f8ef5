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
}

/** Either all jobs that match, or chosen ones. */
export interface RetryPart {
  /** What they are, for people. */
  readonly name: string;
  readonly count: number;
  readonly select: { readonly type: string; readonly code: string } | { readonly ids: readonly string[] };
}

export interface RetryProgress {
  readonly retried: number;
  /** Jobs that were no longer failed. */
  readonly skipped: number;
}

/** Few enough that the bar moves and stopping is quick. */
const BATCH = 100;

interface RetryAnswer {
  readonly retried: number;
  readonly skipped: number;
  readonly nextCursor: string | null;
}

export function countOf({ parts }: RetryPlan): number {
  return parts.reduce((total, { count }) => total + count, 0);
}

/**
 * Retries in batches, and yields the progress after each. The signal stops it between two batches.
 *
 * @param before ISO 8601; later failures are not retried, or jobs that fail again would be retried for ever
 */
export async function* retryAll(
  plan: RetryPlan,
  before: string,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  let total: RetryProgress = { retried: 0, skipped: 0 };
  for (const { select } of plan.parts) {
    const batches = "ids" in select ? retryEach(select.ids) : retryMatching(select, before);
    for await (const { retried, skipped } of batches) {
      total = { retried: total.retried + retried, skipped: total.skipped + skipped };
      yield total;
      if (signal.aborted) return;
    }
  }
}

async function* retryMatching(
  select: { readonly type: string; readonly code: string },
  before: string,
): AsyncGenerator<RetryProgress> {
  let cursor: string | null = null;
  do {
    const answer: RetryAnswer = await send("failures/retry", {
      ...select,
      before,
      limit: BATCH,
      ...(cursor !== null && { cursor }),
    });
    yield answer;
    cursor = answer.nextCursor;
  } while (cursor !== null);
}

async function* retryEach(ids: readonly string[]): AsyncGenerator<RetryProgress> {
  for (const id of ids) yield await retryOne(id);
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
