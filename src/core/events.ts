import { EventEmitter } from "node:events";
import type { AttemptOutcome, ClaimedJob } from "./bullmq/claim/claimed-job.ts";
import type { Failure } from "./job/failure.ts";
import type { Receipt } from "./job/submit-options.ts";

/** A claimed job, as far as telemetry needs it. */
export type AttemptedJob = Pick<ClaimedJob, "id" | "type" | "attemptsMade" | "maxAttempts" | "readyAt">;

/** An effect by its job's type and its declared name. */
type EffectEvent = [type: string, effect: string];

/** What happens in a process: each event's name and arguments. Features add events of their own. */
export interface EventMap {
  /** A submission was accepted, or its key already had a job with the same content. `isNew`: it has added a job. */
  "job.submitted": [job: Pick<Receipt, "id" | "type" | "duplicate">, isNew: boolean];
  /** Nothing was accepted, as far as is known. The input can be anything. */
  "submission.refused": [input: unknown, error: unknown];
  "attempt.started": [job: AttemptedJob];
  /** Before `attempt.ended`. The failure is without the job's secrets; what was thrown can quote them. */
  "attempt.failed": [job: AttemptedJob, failure: Failure, thrown: unknown];
  "attempt.ended": [job: AttemptedJob, outcome: AttemptOutcome, durationMs: number];
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
