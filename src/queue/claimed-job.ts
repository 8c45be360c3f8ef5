import type { Failure } from "../job/failure.ts";
import type { JobEnvelope } from "./envelope.ts";
import type { Lease } from "./lease.ts";

/** A job that this worker has taken and holds the lock of. */
export interface ClaimedJob {
  readonly id: string;
  readonly type: string;
  /** @throws HoldfastError `DECRYPTION_FAILED`, when it is read */
  readonly envelope: JobEnvelope;
  /** Failed attempts before this one. */
  readonly attemptsMade: number;
  /** How often its worker was lost during an attempt. */
  readonly crashes: number;
  /** From when it might run, in milliseconds since 1970; undefined where it has run before. */
  readonly readyAt: number | undefined;
  /** Which taking of the job this is: it tells this attempt from every other. */
  readonly start: number;
  readonly lease: Lease;
  /** What this worker locked the job with. */
  readonly lockToken: string;
  progress(value: number | object): Promise<void>;
  /** Keeps a line with the job; the newest 100 stay. */
  keepLog(line: string): Promise<void>;
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly kind: "completed"; readonly result: unknown }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly stack: string;
      readonly retryAfterMs?: number | undefined;
    }
  /** Put back untouched, for another worker: no attempt is used up. */
  | { readonly kind: "released" }
  /** To be taken again after a while: no attempt is used up. */
  | { readonly kind: "deferred"; readonly delayMs: number };
