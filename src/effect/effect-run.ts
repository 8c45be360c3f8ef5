import { InDoubtError } from "../job/attempt-errors.ts";
import type { EffectCall, EffectDeclaration, EffectOptions, ProbeCall } from "../job/effect.ts";
import type { Abort } from "../lib/abort.ts";
import type { EffectEventName, Events } from "../telemetry/events.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ReservedEffect } from "./ledger.ts";

export const EFFECT_RESULT_MAX_BYTES = 16 * 1_024;

/** The attempt on whose behalf effects run. */
export interface EffectContext {
  readonly jobId: string;
  readonly dedupKey: string;
  readonly lockToken: string;
  readonly start: number;
  readonly worker: string;
  /** Comes when the attempt must end. */
  readonly abort: Abort;
  /** Made when it is needed: most effects have nothing to tell. */
  readonly log: () => Logger;
  /** Takes the job's secrets out of a text. */
  readonly scrub: (text: string) => string;
  /** The job's type. */
  readonly type: string;
  readonly events: Events;
  /** @throws HoldfastError `LOCK_LOST` when this process was stopped for longer than its lock lasts */
  assertLeased(): void;
  /** Whether what happened may still be written down: the lock is not lost, and the worker's grace is not over. */
  mayReport(): boolean;
}

export type EffectOptionsInUse<T> = EffectOptions<T> & {
  readonly assumedResult?: (call: Pick<EffectCall, "key">) => T;
};

/** One effect of one attempt, on its way through reserve → run → commit. */
export interface EffectRun<T> {
  readonly id: string;
  /** As it is declared, without an index: names of spans and labels of metrics must be few. */
  readonly name: string;
  readonly key: string;
  readonly nonce: string;
  readonly declaration: EffectDeclaration;
  readonly options: EffectOptionsInUse<T>;
  readonly run: (call: EffectCall) => Promise<T>;
  /** Ends the attempt with this error, whatever its handler makes of it. */
  readonly block: (error: unknown) => void;
  /** Redis answered this report with an error: the attempt may not end before it has answered otherwise. */
  readonly onRefused: (report: Promise<unknown>) => void;
}

export function reservedEffect<T>(
  { id, nonce }: EffectRun<T>,
  { jobId, lockToken, start }: EffectContext,
): ReservedEffect {
  return { effect: id, owner: nonce, jobId, lockToken, start };
}

export function emit<T>({ name }: EffectRun<T>, owner: EffectContext, event: EffectEventName): void {
  owner.events.emit(event, owner.type, name);
}

/** A class, since an accessor in an object literal costs each object a hidden class of its own. */
export class GivenProbe implements ProbeCall {
  readonly key: string;
  readonly #abort: Abort;

  constructor(key: string, abort: Abort) {
    this.key = key;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

export class GivenCall extends GivenProbe implements EffectCall {
  readonly fence: number;

  constructor(key: string, fence: number, abort: Abort) {
    super(key, abort);
    this.fence = fence;
  }
}

export function inDoubt(
  id: string,
  why: string,
  options: { cause?: unknown; retryable?: boolean } = {},
): InDoubtError {
  return new InDoubtError(`Nobody can know whether effect "${id}" happened: ${why}`, options);
}

/** @returns undefined when it cannot be stored */
export function resultJson(result: unknown): string | undefined {
  try {
    const json = JSON.stringify(result ?? null);
    return Buffer.byteLength(json) <= EFFECT_RESULT_MAX_BYTES ? json : undefined;
  } catch {
    return undefined;
  }
}
