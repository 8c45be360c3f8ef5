import { hash } from "node:crypto";
import type { EffectCall, Policies } from "../../core/job/effect.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { Jsonified } from "../../core/job/jsonified.ts";
import { EffectBusyError, InDoubtError } from "../../evidence/attempt-errors.ts";
import type { Guard, GuardedCall, GuardedEffect, OnceOptions } from "../../guard/guard.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { expectUse } from "./wrong-use.ts";

type Policy = Policies[string];

/** A job as BullMQ 5 and 6 give it to a processor, also to a sandboxed one. */
export interface BullmqJob {
  readonly id?: string | undefined;
  readonly name: string;
  readonly timestamp: number;
  readonly queueQualifiedName?: string;
  readonly queueName: string;
  moveToDelayed(timestamp: number, token?: string): Promise<unknown>;
}

/** As for `guard.once`, but its key need not be given. */
export type JobCall = Omit<GuardedCall, "key"> & Partial<Pick<GuardedCall, "key">>;

/** The effects of one job of BullMQ's. */
export interface GuardedJob {
  /**
   * As `guard.once`, with a key of the job, the same for each of its attempts, so `call.key` need not be given.
   *
   * While another process may still run the effect, and when a probe asks to be asked later, the job is delayed, which uses up no attempt. In doubt, and where
   * trying again cannot help, it fails at once: once the doubt is resolved, retry it, and it goes on.
   *
   * @throws an error that BullMQ knows by its name, `DelayedError` or `UnrecoverableError`: let it pass
   * @throws what `guard.once` throws, where BullMQ may try again
   */
  once<Result, Stored, P extends Policy>(
    effect: GuardedEffect<Result, Stored, P>,
    call: JobCall,
    run: (call: EffectCall) => Promise<NoInfer<Result>>,
    ...options: NoInfer<OnceOptions<Stored, P>>
  ): Promise<Jsonified<Stored>>;
}

/**
 * Guards effects of a BullMQ worker's job.
 *
 * @param token as the processor gets it
 * @throws HoldfastError `USAGE` for what is no guard or no job of BullMQ's
 * @example
 * new Worker("orders", async (job, token) => {
 *   await guardJob(guard, job, token).once(charge, {}, ({ key, signal }) => bank.charge(job.data.cents, { key, signal }));
 * });
 */
export function guardJob(guard: Pick<Guard, "once">, job: BullmqJob, token: string | undefined): GuardedJob {
  expectUse("guardJob: guard", guard, "a guard");
  expectUse("guardJob: job", job, "an object");
  // Without one of them other jobs would have the same key.
  const id = expectUse("guardJob: job.id", job.id, "a text that is not empty");
  expectUse("guardJob: job.timestamp", job.timestamp, "a number");
  const queue = job.queueQualifiedName ?? job.queueName;
  expectUse("guardJob: job.queueName", queue, "a text that is not empty");
  expectUse("guardJob: job.moveToDelayed", job.moveToDelayed, "a function");
  return {
    async once<Result, Stored, P extends Policy>(
      effect: GuardedEffect<Result, Stored, P>,
      call: JobCall,
      run: (call: EffectCall) => Promise<Result>,
      ...options: OnceOptions<Stored, P>
    ) {
      expectUse("guardJob: call", call, "an object");
      // An id may come again, when its job was removed or its queue emptied. Without a space it is no part of a queue's name.
      const named = `${queue} ${id.replaceAll(/[ %]/g, encodeURIComponent)} ${job.timestamp}`;
      const key = keyFault(named) === undefined ? named : `job ${hash("sha256", named, "base64url")}`;
      const about = `job ${job.id} (${job.name}) of ${queue}`.slice(0, ABOUT_MAX);
      try {
        return await guard.once<Result, Stored, P>(effect, { about, key, ...call }, run, ...options);
      } catch (error) {
        throw await forBullmq(error, job, token);
      }
    },
  };
}

const ABOUT_MAX = 500;
const DELAY_LEAST_MS = 100;

async function forBullmq(error: unknown, job: BullmqJob, token: string | undefined): Promise<unknown> {
  if (!(error instanceof HoldfastError)) return error;
  if (error instanceof EffectBusyError || error.code === "SNOOZED") {
    const delayMs = Math.max(DELAY_LEAST_MS, error.retryAfterMs ?? 0);
    await job.moveToDelayed(Date.now() + delayMs, token);
    return named("DelayedError", error);
  }
  if (error.retryable) return error;
  const doubt = error instanceof InDoubtError ? error.doubt : undefined;
  return named("UnrecoverableError", error, doubt);
}

/** BullMQ knows its errors by their names, so that none of its modules is loaded. */
function named(name: string, cause: HoldfastError, doubt?: InDoubtError["doubt"]): Error {
  const error = new Error(`${cause.code}: ${cause.message}`, { cause });
  return Object.assign(error, { name, code: cause.code, ...(doubt && { doubt }) });
}
