import type { RunEffect } from "./effect.ts";

/** What features give to handlers. Each feature adds its members in its folder. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface AttemptMembers {}

/** What a handler gets for one attempt. A spread copy (`{ ...attempt }`) has no `signal` and no `log`. */
export interface Attempt<
  Payload = unknown,
  EffectName extends string = never,
  ProbedName extends string = never,
> extends AttemptMembers {
  /** The payload as the contract's schema parsed it. */
  readonly payload: Payload;
  readonly jobId: string;
  readonly idempotencyKey: string;
  /** The number of this attempt, from 1. Attempts that a crash cut off do not count. */
  readonly attempt: number;
  /** Runs a declared side effect at most once, across retries, duplicates and crashes. */
  readonly effect: RunEffect<EffectName, ProbedName>;
  /**
   * Aborted when the attempt's time is up, the job is cancelled, the worker stops, or another worker has claimed the job.
   *
   * @example await fetch(url, { signal })
   */
  readonly signal: AbortSignal;
  /** Writes log lines with the job's id. The job keeps its newest 100 lines of `info`, `warn` and `error`. */
  readonly log: AttemptLog;
  /**
   * Shows in the job's status how far the attempt is. If Redis does not store it, the attempt goes on.
   *
   * @param value a number, or a JSON object of at most 4 KiB
   * @example await progress({ sent: 40, of: 100 })
   */
  progress(value: number | Readonly<Record<string, unknown>>): Promise<void>;
}

/** @example log.info("charged", { cents: 500 }) */
export interface AttemptLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Does the job once. What it returns is the job's result; if it throws, the attempt fails. */
export type AttemptFunction<
  Payload,
  Result,
  EffectName extends string = never,
  ProbedName extends string = never,
> = (attempt: Attempt<Payload, EffectName, ProbedName>) => Promise<Result>;
