import type { RunEffect } from "./effect.ts";
import type { NextOptions } from "./idempotency-key.ts";
import type { ProducibleJob, Receipt } from "./submit-options.ts";

/** What handlers get beside their own attempt. Each feature adds its members in its folder. */
export interface AttemptMembers {
  /**
   * Submits another job, of any queue, once: further attempts, duplicates and crashes of this job find the first one. While Redis is
   * away it waits, as long as the attempt may.
   *
   * @param payload the same in each attempt: make it from this job's payload and from results of effects
   * @returns the receipt; `duplicate` when an earlier attempt submitted it
   * @throws HoldfastError `INVALID_PAYLOAD`, `INVALID_REQUEST`, `UNKNOWN_JOB_TYPE`; `IDEMPOTENCY_KEY_REUSED` when this job has
   *   submitted other content under this name
   * @example await submit(shipOrder, { order }, { delayMs: 60_000 })
   * @example for (const item of items) await submit(pack, { item }, { name: `pack-${item}` });
   */
  submit<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options?: NextOptions,
  ): Promise<Receipt>;
}

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
