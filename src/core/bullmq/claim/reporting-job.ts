import { Job, UnrecoverableError } from "bullmq";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { isUnanswered, untilAnswered } from "../../../platform/redis/redis-errors.ts";
import { formatFailure, isFailureLine } from "../../job/failure.ts";
import type { Lease } from "./lease.ts";

/** How a worker has claimed a job. */
export interface Claim {
  readonly lease: Lease;
  readonly lockMs: number;
  /** @returns whether the job's lock was this token's */
  readonly renewLock: (token: string) => Promise<boolean>;
  /** Called with the first error when Redis refuses to store how an attempt ended; it is sent again. */
  readonly onRefused: (error: unknown) => void;
}

/** BullMQ's codes for a job that is no longer this worker's: missing, without lock, with another's lock, not active. */
const NOT_OURS: ReadonlySet<unknown> = new Set([-1, -2, -3, -6]);

/**
 * A job whose attempt is stored as it ended. BullMQ treats an error reply to a completion as a failure of the job; here each outcome
 * is sent again until Redis answers, while the lock is renewed, and nothing else is stored instead.
 */
export class ReportingJob extends Job<unknown, unknown, string> {
  #claim: Claim | undefined;
  #unstored: unknown;

  /** Called by the worker before the attempt. */
  claimedBy(claim: Claim): void {
    this.#claim = claim;
  }

  override moveToCompleted(result: unknown, token: string, fetchNext?: boolean) {
    return this.#end(token, () => super.moveToCompleted(result, token, fetchNext));
  }

  override moveToWait(token = ""): Promise<number> {
    return this.#end(token, () => super.moveToWait(token));
  }

  override moveToDelayed(timestamp: number, token = ""): Promise<void> {
    return this.#end(token, () => super.moveToDelayed(timestamp, token));
  }

  override async moveToFailed<E extends Error>(error: E, token: string, fetchNext?: boolean) {
    // The real outcome could not be stored. The next attempt finds its effects done.
    if (this.#unstored !== undefined) throw this.#unstored;
    const stacktrace = this.stacktrace ?? [];
    const shown = isFailureLine(error.message) ? error : (failedChild(error) ?? inOurWords(error));
    return await this.#end(token, () => {
      // Each try appends the trace.
      this.stacktrace = [...stacktrace];
      return super.moveToFailed(shown, token, fetchNext);
    });
  }

  #end<T>(token: string, move: () => Promise<T>): Promise<T> {
    const claim = this.#claim;
    if (claim === undefined) return move();
    const isLeased = () => this.#isLeased(claim, token);
    // A report that Redis refused is sent again, too. An end that overtook it would leave its effect open.
    const mayRepeat = () => claim.lease.reported().then(isLeased);
    // A cluster's client repeats a command by itself while its slot is moving.
    const renewal = setInterval(() => void isLeased(), claim.lockMs / 3);
    const moved = untilAnswered(move, { isLeased: mayRepeat, onRefused: claim.onRefused }).catch(
      (error: unknown) => {
        if (isUnanswered(error) || NOT_OURS.has(codeOf(error))) this.#unstored = error;
        throw error;
      },
    );
    return moved.finally(() => clearInterval(renewal));
  }

  /** Renews the lock, because BullMQ has stopped renewing it. */
  async #isLeased({ lease, renewLock }: Claim, token: string): Promise<boolean> {
    if (!lease.isLocked()) return false;
    const isRenewed = await renewLock(token).catch(() => undefined);
    if (isRenewed === false) lease.lost();
    if (isRenewed === true) lease.renewed();
    return lease.isLocked();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** BullMQ fails a parent with the key of a child that failed. */
function failedChild({ message }: Error): Error | undefined {
  const [, id] = /^child \S+:([^:\s]+) failed$/.exec(message) ?? [];
  if (id === undefined) return undefined;
  return new UnrecoverableError(
    formatFailure({ code: "CHILD_FAILED", message: `Child ${id} failed`, retryable: false }),
  );
}

/** The texts of Redis and BullMQ name keys: they belong in the worker's log, not in a status. */
function inOurWords(error: Error): Error {
  const message = "The outcome could not be stored; the worker's log says why";
  const line = formatFailure({ code: "INTERNAL", message, retryable: true });
  return error instanceof UnrecoverableError
    ? new UnrecoverableError(line)
    : new HoldfastError("INTERNAL", line, { cause: error });
}
