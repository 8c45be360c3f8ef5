import { Job, UnrecoverableError } from "bullmq";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { formatFailure, isFailureLine } from "../job/failure.ts";
import { isUnanswered, untilAnswered } from "../redis/until-answered.ts";
import type { Lease } from "./lease.ts";

/** The worker's claim on a job, under which the end of an attempt is written down. */
export interface Claim {
  readonly lease: Lease;
  readonly lockMs: number;
  /** Called when Redis refuses to write down how an attempt ended, with the first error; it is sent again. */
  readonly onRefused: (error: unknown) => void;
}

/** BullMQ's codes for a job that this worker has no more: it is gone, its lock is gone or another's, it is not active. */
const NOT_OURS: ReadonlySet<unknown> = new Set([-1, -2, -3, -6]);

/**
 * A job whose attempt ends as it ended. BullMQ takes an error reply to a completion for a failure of the job; here each
 * end is sent again until Redis answers it, while the lock is renewed, and nothing else is written in its place.
 */
export class ReportingJob extends Job<unknown, unknown, string> {
  #claim: Claim | undefined;
  #unwritten: unknown;

  /** Called by the worker before the attempt. */
  claimedBy(claim: Claim): void {
    this.#claim = claim;
  }

  override async moveToCompleted(result: unknown, token: string, fetchNext?: boolean) {
    return await this.#end(token, () => super.moveToCompleted(result, token, fetchNext));
  }

  override async moveToWait(token = ""): Promise<number> {
    return await this.#end(token, () => super.moveToWait(token));
  }

  override async moveToDelayed(timestamp: number, token = ""): Promise<void> {
    await this.#end(token, () => super.moveToDelayed(timestamp, token));
  }

  override async moveToFailed<E extends Error>(error: E, token: string, fetchNext?: boolean) {
    // How the attempt really ended could not be written down. The next one finds its effects done.
    if (this.#unwritten !== undefined) throw this.#unwritten;
    const stacktrace = this.stacktrace ?? [];
    const shown = isFailureLine(error.message) ? error : inOurWords(error);
    return await this.#end(token, () => {
      // Each try adds the trace.
      this.stacktrace = [...stacktrace];
      return super.moveToFailed(shown, token, fetchNext);
    });
  }

  async #end<T>(token: string, move: () => Promise<T>): Promise<T> {
    const claim = this.#claim;
    if (claim === undefined) return await move();
    const { onRefused } = claim;
    try {
      return await untilAnswered(move, { isLeased: () => this.#isLeased(claim, token), onRefused });
    } catch (error) {
      if (isUnanswered(error) || NOT_OURS.has(codeOf(error))) this.#unwritten = error;
      throw error;
    }
  }

  /** Renews the lock, for BullMQ has ceased to by now. */
  async #isLeased({ lease, lockMs }: Claim, token: string): Promise<boolean> {
    if (!lease.isLocked()) return false;
    const extended = await this.extendLock(token, lockMs).catch(() => undefined);
    if (extended === 0) lease.lost();
    if (extended === 1) lease.renewed();
    return lease.isLocked();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The texts of Redis and BullMQ are for the worker's log: they name keys, and say nothing to whoever reads a status. */
function inOurWords(error: Error): Error {
  const message = "The attempt could not be ended; the worker's log says why";
  const line = formatFailure({ code: "INTERNAL", message, retryable: true });
  return error instanceof UnrecoverableError
    ? new UnrecoverableError(line)
    : new HoldfastError("INTERNAL", line, { cause: error });
}
