import { HoldfastError } from "../errors/holdfast-error.ts";
import { Abort } from "../lib/abort.ts";

/**
 * A worker's hold on one job: while it lasts, no other worker may take the job. Aborted, with a `HoldfastError` as
 * reason, when it is lost or the worker stops.
 */
export class Lease extends Abort {
  // performance.now() goes on while a process is stopped, so it knows of pauses that no timer saw.
  #renewedAt = performance.now();
  readonly #lockMs: number;
  #isLost = false;

  /** @param lockMs how long the store keeps a lock that is not renewed, in milliseconds */
  constructor(lockMs: number) {
    super();
    this.#lockMs = lockMs;
  }

  renewed(): void {
    this.#renewedAt = performance.now();
  }

  lost(): void {
    this.#isLost = true;
    this.abort(lockLost());
  }

  /** Whether the lock is held, as far as this process knows. An attempt that was aborted may hold it still. */
  isLocked(): boolean {
    if (performance.now() - this.#renewedAt > this.#lockMs) this.lost();
    return !this.#isLost;
  }

  /** @throws HoldfastError the reason, when it is aborted or this process slept longer than the lock lasts */
  assert(): void {
    this.isLocked();
    this.throwIfAborted();
  }
}

/** The holds of one worker, one for each job: a job runs once at a time here. */
export interface Leases {
  /** @returns undefined while an older attempt at the job has not ended here */
  take(jobId: string): Lease | undefined;
  /** Called when BullMQ is done with the attempt. */
  release(jobId: string): void;
  get(jobId: string): Lease | undefined;
  has(jobId: string): boolean;
  renewed(jobIds: readonly string[]): void;
  lost(jobIds: readonly string[]): void;
  /** Ends the attempt at one job, if it is held here. */
  abort(jobId: string, reason: HoldfastError): void;
  /** Which jobs are held. */
  jobIds(): string[];
  abortAll(reason: HoldfastError): void;
}

/** @param lockMs how long the store keeps a lock that is not renewed, in milliseconds */
export function createLeases(lockMs: number): Leases {
  const leases = new Map<string, Lease>();
  return {
    take(jobId) {
      if (leases.has(jobId)) return undefined;
      const lease = new Lease(lockMs);
      leases.set(jobId, lease);
      return lease;
    },
    release: (jobId) => void leases.delete(jobId),
    get: (jobId) => leases.get(jobId),
    has: (jobId) => leases.has(jobId),
    renewed(jobIds) {
      for (const lease of pick(leases, jobIds)) lease.renewed();
    },
    lost(jobIds) {
      for (const lease of pick(leases, jobIds)) lease.lost();
    },
    abort: (jobId, reason) => leases.get(jobId)?.abort(reason),
    jobIds: () => [...leases.keys()],
    abortAll(reason) {
      for (const lease of leases.values()) lease.abort(reason);
    },
  };
}

function pick(leases: ReadonlyMap<string, Lease>, jobIds: readonly string[]): Lease[] {
  return jobIds.flatMap((id) => leases.get(id) ?? []);
}

function lockLost(): HoldfastError {
  return new HoldfastError(
    "LOCK_LOST",
    "This worker was silent for too long; another one may have taken the job over",
  );
}
