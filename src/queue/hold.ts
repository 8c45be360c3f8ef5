import { HoldfastError } from "../errors/holdfast-error.ts";

/** A worker's hold on one job: while it lasts, no other worker may take the job. */
export interface Hold {
  /** Aborted, with a `HoldfastError` as reason, when the hold is lost or the worker stops. */
  readonly signal: AbortSignal;
  /** @throws HoldfastError the signal's reason, when it is aborted or this process slept longer than the lock lasts */
  assert(): void;
}

interface TrackedHold extends Hold {
  readonly controller: AbortController;
  renewedAt: number;
}

/** The holds of one worker. */
export interface Holds {
  take(jobId: string): Hold;
  release(jobId: string): void;
  renewed(jobIds: readonly string[]): void;
  lost(jobIds: readonly string[]): void;
  /** Ends the attempt at one job, if it is held here. */
  abort(jobId: string, reason: HoldfastError): void;
  /** Which jobs are held. */
  jobIds(): string[];
  abortAll(reason: HoldfastError): void;
}

/** @param lockMs how long the store keeps a lock that is not renewed, in milliseconds */
export function createHolds(lockMs: number): Holds {
  const holds = new Map<string, TrackedHold>();
  return {
    take(jobId) {
      const hold = createHold(lockMs);
      holds.set(jobId, hold);
      return hold;
    },
    release: (jobId) => void holds.delete(jobId),
    renewed(jobIds) {
      for (const hold of pick(holds, jobIds)) hold.renewedAt = performance.now();
    },
    lost(jobIds) {
      for (const hold of pick(holds, jobIds)) hold.controller.abort(lockLost());
    },
    abort: (jobId, reason) => holds.get(jobId)?.controller.abort(reason),
    jobIds: () => [...holds.keys()],
    abortAll(reason) {
      for (const hold of holds.values()) hold.controller.abort(reason);
    },
  };
}

function createHold(lockMs: number): TrackedHold {
  const controller = new AbortController();
  const hold: TrackedHold = {
    controller,
    signal: controller.signal,
    // performance.now() goes on while a process is stopped, so it knows of pauses that no timer saw.
    renewedAt: performance.now(),
    assert() {
      if (performance.now() - hold.renewedAt > lockMs) controller.abort(lockLost());
      controller.signal.throwIfAborted();
    },
  };
  return hold;
}

function pick(holds: ReadonlyMap<string, TrackedHold>, jobIds: readonly string[]): TrackedHold[] {
  return jobIds.flatMap((id) => holds.get(id) ?? []);
}

function lockLost(): HoldfastError {
  return new HoldfastError(
    "LOCK_LOST",
    "This worker was silent for too long; another one may have taken the job over",
  );
}
