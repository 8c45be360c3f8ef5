import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { Abort } from "../../../platform/lib/abort.ts";

/**
 * A worker's right to run one job, as its process knows it. Aborted, with a `HoldfastError` as reason, when it is lost, the job is
 * cancelled or the worker stops.
 */
export class Lease extends Abort {
  // performance.now() runs on while a process is paused, so it sees pauses that no timer saw.
  #renewedAt = performance.now();
  readonly #lockMs: number;
  #isLost = false;
  #reports: readonly Promise<unknown>[] = [];
  #onEnd: readonly (() => void)[] = [];

  /** @param lockMs how long Redis keeps a lock that is not renewed */
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

  /** Whether the job is still locked. An aborted attempt can still have its lock. */
  isLocked(): boolean {
    if (performance.now() - this.#renewedAt > this.#lockMs) this.lost();
    return !this.#isLost;
  }

  protected override look(): void {
    this.isLocked();
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
export interface Leases {
  /** @returns undefined while an older attempt of the job has not ended here */
  claim(jobId: string): Lease | undefined;
  /** Called when BullMQ has finished the attempt. */
  release(jobId: string): void;
  get(jobId: string): Lease | undefined;
  has(jobId: string): boolean;
  renewed(jobIds: readonly string[]): void;
  lost(jobIds: readonly string[]): void;
  abort(jobId: string, reason: HoldfastError): void;
  jobIds(): string[];
  /** Resolves when the attempts that run now have ended. */
  allEnded(): Promise<unknown>;
  abortAll(reason: HoldfastError): void;
}

/** @param lockMs how long Redis keeps a lock that is not renewed */
export function createLeases(lockMs: number): Leases {
  const leases = new Map<string, Lease>();
  return {
    claim(jobId) {
      if (leases.has(jobId)) return undefined;
      const lease = new Lease(lockMs);
      leases.set(jobId, lease);
      return lease;
    },
    release(jobId) {
      const lease = leases.get(jobId);
      leases.delete(jobId);
      lease?.end();
    },
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
    allEnded: () => Promise.all([...leases.values()].map((lease) => lease.ended())),
    abortAll(reason) {
      for (const lease of leases.values()) lease.abort(reason);
    },
  };
}

function pick(leases: ReadonlyMap<string, Lease>, jobIds: readonly string[]): Lease[] {
  return jobIds.flatMap((id) => leases.get(id) ?? []);
}

function lockLost(): HoldfastError {
  return new HoldfastError("LOCK_LOST", "The worker lost its lock; another one may have claimed the job");
}
