import { send } from "../service/call.ts";
import { Problem } from "../service/problem.ts";

/** Failed jobs that are to be retried together. */
export interface RetryPlan {
  readonly parts: readonly RetryPart[];
  /** Whether there can be more of them than were counted. */
  readonly isAtLeast: boolean;
  /** Jobs that are left as they are: a retry does not help those in doubt, and nobody chose those that were cancelled. */
  readonly inDoubt: number;
  readonly cancelled: number;
}

/** Either all that match, or jobs chosen one by one. */
export interface RetryPart {
  /** What they are, for people. */
  readonly name: string;
  readonly count: number;
  readonly select: { readonly type: string; readonly code: string } | { readonly ids: readonly string[] };
}

export interface RetryProgress {
  readonly retried: number;
  /** They were not failed any more when it was their turn. */
  readonly skipped: number;
}

/** So many at a time that the bar moves, and that stopping takes effect at once. */
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
 * Retries them bit by bit, and tells after each how far it is. Between two bits it can be stopped by the signal.
 *
 * @param before ISO 8601; what failed later is not meant. Otherwise jobs that fail again would be retried for ever
 */
export async function* retryAll(
  plan: RetryPlan,
  before: string,
  signal: AbortSignal,
): AsyncGenerator<RetryProgress> {
  let total: RetryProgress = { retried: 0, skipped: 0 };
  for (const { select } of plan.parts) {
    const bits = "ids" in select ? retryEach(select.ids) : retryMatching(select, before);
    for await (const { retried, skipped } of bits) {
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
