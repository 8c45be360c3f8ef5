import { EventEmitter } from "node:events";
import type { ErrorCode } from "../platform/errors/error-codes.ts";
import type { Receipt } from "./job/submit-options.ts";

/** A claimed job, as far as telemetry needs it. */
export interface AttemptedJob {
  readonly id: string;
  readonly type: string;
  /** Failed attempts before this one. */
  readonly attemptsMade: number;
  readonly maxAttempts: number;
  /** When it could first run, in milliseconds since 1970; undefined if it ran before. */
  readonly readyAt: number | undefined;
}

/** Why an attempt failed, without the job's secrets. */
export interface AttemptFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: "completed" | "released" }
  | { readonly kind: "deferred"; readonly code?: ErrorCode }
  | { readonly kind: "failed"; readonly failure: AttemptFailure; readonly trace: string };

/** An effect by its job's type and its declared name. */
type EffectEvent = [type: string, effect: string];

/** What happens in a process: each event's name and arguments. Features add events of their own. */
export interface EventMap {
  /** A job was accepted, or its key already had a job with the same content. */
  "job.submitted": [job: Pick<Receipt, "id" | "type" | "duplicate" | "replaces">];
  /** Nothing was accepted, as far as is known. The input can be anything. */
  "submission.refused": [input: unknown, error: unknown];
  "attempt.started": [job: AttemptedJob];
  /** Before `attempt.ended`. What was thrown can quote secrets. */
  "attempt.failed": [job: AttemptedJob, failure: AttemptFailure, thrown: unknown];
  "attempt.ended": [job: AttemptedJob, end: AttemptEnd, durationMs: number];
  "effect.reserved": EffectEvent;
  "effect.done": EffectEvent;
  "effect.released": EffectEvent;
  /** Each time that an attempt leaves an effect in doubt or finds it so. */
  "effect.in-doubt": EffectEvent;
  "effect.resolved": EffectEvent;
}

export type EffectEventName = Extract<keyof EventMap, `effect.${string}`>;

/** One stream of events for each role. Logs and metrics subscribe to it. Listeners run at once, and must not throw. */
export type Events = EventEmitter<EventMap>;

export function createEvents(): Events {
  return new EventEmitter<EventMap>();
}
