import type { ErrorCode } from "../../../platform/errors/error-codes.ts";
import type { Failure } from "../../job/failure.ts";
import type { JobEnvelope } from "../add/envelope.ts";
import type { Lease } from "./lease.ts";

/** A job that this worker has claimed. */
export interface ClaimedJob {
  readonly id: string;
  readonly type: string;
  /** @throws HoldfastError `DECRYPTION_FAILED`, `INVALID_PAYLOAD`, when it is read */
  readonly envelope: JobEnvelope;
  /** Failed attempts before this one. */
  readonly attemptsMade: number;
  /** After so many failed attempts it fails for good. */
  readonly maxAttempts: number;
  /** How often its worker was lost during an attempt. */
  readonly crashes: number;
  /** When it was claimed, in milliseconds since 1970 by Redis's clock. */
  readonly startedAt: number;
  /** From when it could run, in milliseconds since 1970; undefined where it has run before, or is a parent. */
  readonly readyAt: number | undefined;
  /** BullMQ's delivery count; unique per attempt. */
  readonly delivery: number;
  /** Until when it must have begun, in milliseconds since 1970 by Redis's clock; undefined where it need not. */
  readonly startBy: number | undefined;
  /** When it was submitted, in milliseconds since 1970. */
  readonly submittedAt: number;
  readonly lease: Lease;
  readonly lockToken: string;
  /** Whether it has ever failed, crashed, been snoozed or asked for an effect. @throws HoldfastError `STORE_UNAVAILABLE` */
  hasBegun(): Promise<boolean>;
  /** @returns how often it was snoozed, this time included @throws HoldfastError `STORE_UNAVAILABLE` */
  countSnooze(): Promise<number>;
  /** @returns why Redis did not store it: it refused, or was not reached @throws HoldfastError if the job is gone */
  progress(value: number | object): Promise<string | undefined>;
  /** Stores a line with the job; the newest 100 are kept. */
  keepLog(line: string): Promise<void>;
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly kind: "completed"; readonly result: unknown }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      /** The stack of what was thrown, and of its causes. */
      readonly trace: string;
      /** Milliseconds to the next attempt, instead of the retry policy's. */
      readonly retryAfterMs?: number | undefined;
    }
  /** Returned to the queue for another worker; uses up no attempt. */
  | { readonly kind: "released" }
  /** Claimed again after a delay; uses up no attempt. */
  | { readonly kind: "deferred"; readonly delayMs: number; readonly code?: ErrorCode };
