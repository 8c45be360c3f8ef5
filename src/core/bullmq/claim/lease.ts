import { setImmediate as endOfTurn } from "node:timers/promises";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { Abort } from "../../../platform/lib/abort.ts";
import { ifUnhandled } from "../../../platform/lib/stray-rejections.ts";
import { messageOf } from "../../../platform/lib/thrown.ts";

/**
 * A worker's right to run one job, as its process knows it. Aborted, with a `HoldfastError` as reason, when it is lost, the job is
 * cancelled or the worker stops.
 */
export class Lease extends Abort {
  // performance.now() runs on while a process is paused, so it sees pauses that no timer saw.
  #renewedAt = performance.now();
  readonly #lockMs: number;
  readonly #why: () => HoldfastError;
  #isLost = false;
  #reports: readonly Promise<unknown>[] = [];
  #onEnd: readonly (() => void)[] = [];
  #faults: WeakSet<object> | undefined;
  #hasRejected = false;
  #unawaited: HoldfastError | undefined;

  /**
   * @param lockMs how long Redis keeps a lock that is not renewed
   * @param why makes the reason of its loss
   */
  constructor(lockMs: number, why = lockLost) {
    super();
    this.#lockMs = lockMs;
    this.#why = why;
  }

  renewed(): void {
    this.#renewedAt = performance.now();
  }

  lost(): void {
    this.#isLost = true;
    this.abort(this.#why());
  }

  /** Whether the job is still locked. An aborted attempt can still have its lock. */
  isLocked(): boolean {
    if (performance.now() - this.#renewedAt > this.#lockMs) this.lost();
    return !this.#isLost;
  }

  protected override look(): void {
    this.isLocked();
  }

  /** Marks a fault as made by Holdfast for this very attempt: only then does its code decide how the attempt ends. */
  own<Fault extends HoldfastError>(fault: Fault): Fault {
    this.#faults ??= new WeakSet();
    this.#faults.add(fault);
    return fault;
  }

  /** Whether it is this attempt's own fault, or why its lease was aborted. */
  isOwn(thrown: object): boolean {
    return thrown === this.reason || this.#faults?.has(thrown) === true;
  }

  /**
   * Notes that a promise which the handler was given has failed. If nobody waits for it, that fails the attempt, and not the process.
   *
   * @param what was asked for, e.g. `effect "charge"`
   */
  rejected(what: string, jobId: string, thrown: unknown): void {
    this.#hasRejected = true;
    if (typeof thrown !== "object" || thrown === null) return;
    ifUnhandled(thrown, () => {
      const message = `${what} failed, and the handler did not wait for it: ${messageOf(thrown)}`;
      this.#unawaited ??= this.own(new HoldfastError("HANDLER_FAILED", message, { cause: thrown }));
      return `${what} of job ${jobId}`;
    });
  }

  /** The failure of something that the handler did not wait for. Called when nothing of the attempt is under way any more. */
  unawaited(): Promise<HoldfastError | undefined> | undefined {
    // Node.js finds unhandled rejections at the end of a turn of the event loop.
    return this.#hasRejected ? endOfTurn().then(() => this.#unawaited) : undefined;
  }

  /** Keeps the attempt's end from being sent again before this report, which Redis has refused, is answered. */
  endsAfter(report: Promise<unknown>): void {
    this.#reports = [...this.#reports, report];
  }

  /** Resolves when every refused report of the attempt is answered, in whatever way. */
  async reported(): Promise<void> {
    await Promise.allSettled(this.#reports);
  }

  /** Resolves when BullMQ has finished the attempt. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = [...this.#onEnd, resolve];
    });
  }

  end(): void {
    for (const resolve of this.#onEnd) resolve();
  }

  /** @throws HoldfastError the reason, when it is aborted or this process was paused longer than the lock lasts */
  assert(): void {
    this.throwIfAborted();
  }
}

/** The leases of one worker, one for each job. */
export class Leases {
  readonly #lockMs: number;
  readonly #leases = new Map<string, Lease>();

  /** @param lockMs how long Redis keeps a lock that is not renewed */
  constructor(lockMs: number) {
    this.#lockMs = lockMs;
  }

  /** @returns undefined while an older attempt of the job has not ended here */
  claim(jobId: string): Lease | undefined {
    if (this.#leases.has(jobId)) return undefined;
    const lease = new Lease(this.#lockMs);
    this.#leases.set(jobId, lease);
    return lease;
  }

  /** Called when BullMQ has finished the attempt. */
  release(jobId: string): void {
    const lease = this.#leases.get(jobId);
    this.#leases.delete(jobId);
    lease?.end();
  }

  get(jobId: string): Lease | undefined {
    return this.#leases.get(jobId);
  }

  renewed(jobIds: readonly string[]): void {
    for (const id of jobIds) this.get(id)?.renewed();
  }

  lost(jobIds: readonly string[]): void {
    for (const id of jobIds) this.get(id)?.lost();
  }

  jobIds(): string[] {
    return [...this.#leases.keys()];
  }

  /** Resolves when the attempts that run now have ended. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.#leases.values()].map((lease) => lease.ended()));
  }

  abortAll(reason: HoldfastError): void {
    for (const lease of this.#leases.values()) lease.abort(reason);
  }
}

function lockLost(): HoldfastError {
  return new HoldfastError("LOCK_LOST", "The worker lost its lock; another one may have claimed the job");
}
