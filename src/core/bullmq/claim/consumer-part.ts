import type { Settings } from "../../../platform/config/settings.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import type { KeysInUse } from "../../../platform/redis/encryption/keys-in-use.ts";
import type { Clock } from "../../../platform/redis/fitness/clock.ts";
import type { QueueStore } from "../store/queue-store.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";
import type { Leases } from "./lease.ts";
import type { Quiet } from "./quiet.ts";
import type { Slots } from "./slots.ts";

/** One queue, or one partition of it, from which a worker claims jobs. */
export interface Consumed {
  readonly store: QueueStore;
  /** Unique to the worker's process. BullMQ stores it with the jobs that it claims. */
  readonly workerName: string;
  readonly settings: Settings;
  /** How many attempts may run at a time, in all partitions of the queue. */
  readonly slots: Slots;
  /** Of all partitions of the queue. */
  readonly quiet: Quiet;
  /** The jobs that run here. */
  readonly leases: Leases;
  readonly clock: Clock;
  readonly keysInUse: KeysInUse;
  readonly log: Logger;
}

/** Runs one attempt of a job. */
export type RunAttempt = (job: ClaimedJob) => Promise<AttemptOutcome>;

export type FailedOutcome = Extract<AttemptOutcome, { kind: "failed" }>;

/** A job that has completed, or failed for good. */
export interface EndedJob {
  readonly id: string;
  /** What travels with the job. */
  readonly options: object;
}

/** What is done beside the attempts of a partition. Nothing here may throw, but for `around`. */
export interface ConsumerPart {
  /** Runs an attempt, or returns another outcome instead. The first part is the outermost. */
  readonly around?: (job: ClaimedJob, run: RunAttempt) => Promise<AttemptOutcome>;
  /** Called when a job is claimed, before its attempt. */
  readonly onClaim?: (jobId: string) => void;
  /** Called when the locks of these jobs were renewed. */
  readonly onRenewal?: (jobIds: readonly string[]) => void;
  /** Called when an attempt has ended; whether Redis accepts that is not known yet. */
  readonly onAttemptEnd?: (job: ClaimedJob, outcome: AttemptOutcome, runMs: number) => void;
  /** Called before Redis learns that an attempt has failed, which waits for it. */
  readonly onFailure?: (job: ClaimedJob, failed: FailedOutcome) => Promise<void>;
  /** Called when an attempt has ended and its job is delayed. */
  readonly onDelay?: (jobId: string) => Promise<void>;
  /** Called when a job has ended and Redis has stored that. */
  readonly onJobEnd?: (job: EndedJob) => void;
  /** Called when a sweep has found a job of a dead worker, this worker's or another's. */
  readonly onStalled?: (jobId: string) => void;
  readonly onError?: (error: Error) => void;
}

/** What the parts have under a name. */
export function each<Name extends keyof ConsumerPart>(
  parts: readonly ConsumerPart[],
  name: Name,
): readonly NonNullable<ConsumerPart[Name]>[] {
  return parts.map((part) => part[name]).filter((call) => call !== undefined);
}
