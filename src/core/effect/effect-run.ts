import { InDoubtError } from "../../evidence/attempt-errors.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { heldJson } from "../../platform/lib/unheld.ts";
import { redisFault } from "../../platform/redis/redis-errors.ts";
import type { ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { EffectEventName, Events } from "../events.ts";
import { effectKeyOf } from "../job/dedup-key.ts";
import type { EffectCall, EffectDeclaration, EffectOptions } from "../job/effect.ts";
import type { EffectLedger, ReservedEffect } from "./ledger/ledger.ts";

export const EFFECT_RESULT_MAX_BYTES = 16 * 1_024;

/** The attempt that effects run for. */
export interface EffectContext {
  readonly job: Pick<ClaimedJob, "id" | "type" | "lockToken" | "delivery" | "lease">;
  readonly ledger: EffectLedger;
  /** Aborted when the attempt must end. */
  readonly abort: Abort;
  /** Made when it is needed: most effects log nothing. */
  readonly log: () => Logger;
  /** Removes the job's secrets from a text. */
  readonly scrub: (text: string) => string;
  readonly events: Events;
}

export type EffectOptionsInUse = EffectOptions<unknown> & {
  readonly assumedResult?: (call: Pick<EffectCall, "key">) => unknown;
};

/** How an effect decides the end of its attempt. */
export interface AttemptEnd {
  /** Ends the attempt with this error, even if its handler catches it. */
  block(error: unknown): void;
  /** An effect of this attempt is in doubt, and its handler may swallow that: the attempt must not complete. */
  leaveOpen(): void;
  /** Redis did not answer this report, and it is sent again: what ends with the attempt waits for it. */
  waitFor(report: Promise<unknown>): void;
  /** Whether the end of a job follows on the same connection. Otherwise the caller is answered at once, so it waits for its commit. */
  readonly isOfJob: boolean;
}

/** One effect of one attempt, on its way through reserve → run → commit. */
export interface EffectRun {
  /** With `/index` where it has one. */
  readonly id: string;
  /** As declared, without an index: names of spans and labels of metrics must be few. */
  readonly name: string;
  readonly reservationId: string;
  readonly declaration: EffectDeclaration;
  readonly options: EffectOptionsInUse;
  readonly run: (call: EffectCall) => Promise<unknown>;
  readonly attempt: EffectContext;
  readonly end: AttemptEnd;
}

export function reservedEffect({ id, reservationId, attempt: { job } }: EffectRun): ReservedEffect {
  return { effect: id, reservationId, jobId: job.id, lockToken: job.lockToken, delivery: job.delivery };
}

/** What the effect passes downstream; unique to it. */
export function keyOf({ id, attempt: { ledger } }: EffectRun): string {
  return effectKeyOf(ledger.dedupKey, id);
}

export function emit({ name, attempt: { job, events } }: EffectRun, event: EffectEventName): void {
  events.emit(event, job.type, name);
}

export function inDoubt(
  id: string,
  why: string,
  options: { cause?: unknown; retryable?: boolean } = {},
): InDoubtError {
  return new InDoubtError(`Nobody can know whether effect "${id}" happened: ${why}`, options);
}

/** An effect is called from its own run: it would wait for itself. */
export function insideItself(id: string): HoldfastError {
  return new HoldfastError("PERMANENT_FAILURE", `Effect "${id}" is called from inside itself`);
}

/** @returns undefined when it cannot be stored */
export function resultJson(result: unknown): string | undefined {
  try {
    const json = heldJson(result ?? null);
    return json !== undefined && Buffer.byteLength(json) <= EFFECT_RESULT_MAX_BYTES ? json : undefined;
  } catch {
    return undefined;
  }
}

export function resultUnkept(id: string): HoldfastError {
  return new HoldfastError(
    "RESULT_INVALID",
    `Effect "${id}" is done and recorded, but its result is not JSON of at most ${EFFECT_RESULT_MAX_BYTES} bytes`,
  );
}

const faults = new WeakSet<HoldfastError>();

/**
 * Marks a fault of Redis for which an effect was not reserved, so it has not begun. The code alone would not do: a handler can
 * throw the same one for reasons of its own.
 */
export function notReserved(error: unknown): HoldfastError {
  const fault = redisFault(error);
  faults.add(fault);
  return fault;
}

export function isNotReserved(fault: HoldfastError): boolean {
  return faults.has(fault);
}
