import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Lease } from "../core/bullmq/claim/lease.ts";
import { ABORT_MARGIN_MS, actOnce } from "../core/effect/act-once.ts";
import {
  type AttemptEnd,
  type EffectOptionsInUse,
  type EffectRun,
  keyOf,
} from "../core/effect/effect-run.ts";
import type { Events } from "../core/events.ts";
import { effectKeyOf } from "../core/job/dedup-key.ts";
import type { EffectCall } from "../core/job/effect.ts";
import { fingerprintOf } from "../core/submit/fingerprint.ts";
import { InDoubtError } from "../evidence/attempt-errors.ts";
import { leavesEffect } from "../evidence/outgoing/own-word.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { Logger } from "../platform/lib/logger.ts";
import { check, type Schema, schemaIssues } from "../platform/lib/schema.ts";
import type { SharedSecret } from "../platform/redis/encryption/shared-secret.ts";
import { isUnanswered, redisFault } from "../platform/redis/redis-errors.ts";
import type { CallTexts } from "./call-texts.ts";
import type { GuardedEffect } from "./define-effect.ts";
import { doubtOf, howResolved } from "./doubt-of-call.ts";
import { EffectBusyError } from "./guard.ts";
import { GuardedLedger, type GuardLedgers } from "./guarded-ledger.ts";
import type { NamedCall } from "./name-call.ts";

/** What all calls of a guard share. */
export interface CallTools {
  readonly ledgersOf: (place: string) => GuardLedgers;
  /** Of a place: keys the fingerprints of contents. */
  readonly secretOf: (place: string) => Pick<SharedSecret, "known" | "get">;
  readonly rememberMs: number;
  readonly events: Events;
  readonly log: Logger;
}

/** A call, checked. */
export interface CheckedCall extends CallTexts {
  readonly named: NamedCall;
  /** Canonical JSON. */
  readonly content: string;
  readonly waitMs: number;
  readonly options: EffectOptionsInUse;
}

/** How often a call that waits asks again: sooner after the start, when most effects end. */
const ASK_FIRST_MS = 20;
const ASK_MAX_MS = 500;

/** Runs an effect for a call, or finds its result; waits while another call runs it. */
export async function runCall(
  tools: CallTools,
  effect: GuardedEffect,
  call: CheckedCall,
  run: (call: EffectCall) => Promise<unknown>,
): Promise<unknown> {
  const giveUpAt = performance.now() + call.waitMs;
  const { content } = call;
  const { dedupKey, place } = call.named;
  const secret = tools.secretOf(place);
  const fingerprint = fingerprintOf(secret.known() ?? (await secret.get()), dedupKey, content);
  const ledgers = tools.ledgersOf(place);
  const done = await ledgers.readDone({ dedupKey, name: effect.name }, fingerprint);
  if (done !== undefined)
    return storedResult(effect, call.options, effectKeyOf(dedupKey, effect.name), done.json);
  const known = { fingerprint, ledgers };
  for (let pauseMs = ASK_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, ASK_MAX_MS)) {
    try {
      return await new CallRun(tools, effect, call, known, run).result();
    } catch (error) {
      const leftMs = giveUpAt - performance.now();
      if (!(error instanceof EffectBusyError) || leftMs <= 0) throw error;
      await sleep(Math.min(pauseMs, leftMs, error.retryAfterMs ?? pauseMs));
    }
  }
}

function storedResult(
  effect: GuardedEffect,
  { assumedResult }: EffectOptionsInUse,
  key: string,
  json: string | null,
): unknown {
  try {
    return checked(effect, json === null ? assumedResult?.({ key }) : JSON.parse(json));
  } catch (error) {
    leavesEffect(error, key);
    throw error;
  }
}

interface KnownPlace {
  /** Of the call's content. */
  readonly fingerprint: string;
  readonly ledgers: GuardLedgers;
}

/** One try of a call. Its lease is its reservation's deadline: no lock, and nothing takes over. */
class CallRun implements AttemptEnd {
  readonly #effect: EffectRun;
  readonly #guarded: GuardedEffect;
  readonly #named: NamedCall;
  readonly #ledgers: GuardLedgers;
  #hasBegun = false;
  #committed: Promise<void> | undefined;
  #blocked: HoldfastError | undefined;

  constructor(
    { rememberMs, events, log }: CallTools,
    guarded: GuardedEffect,
    { named, options, key, by, about }: CheckedCall,
    { fingerprint, ledgers }: KnownPlace,
    run: (call: EffectCall) => Promise<unknown>,
  ) {
    const { name, declaration, result, rememberMs: ownMs = rememberMs } = guarded;
    const lease = new Lease(declaration.timeoutMs + ABORT_MARGIN_MS, timeIsOver);
    const reserved = { id: named.id, fingerprint, rememberMs: ownMs, key, by, about };
    const ledger = new GuardedLedger(ledgers, named.dedupKey, reserved, lease);
    const job = { id: named.id, type: named.type, lockToken: "", delivery: 0, lease };
    const attempt = { job, ledger, abort: lease, log: () => log, scrub: (text: string) => text, events };
    this.#guarded = guarded;
    this.#named = named;
    this.#ledgers = ledgers;
    this.#effect = {
      id: name,
      name,
      reservationId: randomUUID(),
      declaration,
      options,
      run: async (call) => {
        this.#hasBegun = true;
        return kept(result, await run(call));
      },
      attempt,
      end: this,
    };
  }

  async result(): Promise<unknown> {
    try {
      const result = await actOnce(this.#effect);
      await this.#committed;
      if (this.#blocked !== undefined) throw this.#blocked;
      return checked(this.#guarded, result);
    } catch (error) {
      const fault = await this.#faultOf(error);
      leavesEffect(fault, keyOf(this.#effect));
      throw fault;
    }
  }

  block(error: unknown): void {
    this.#blocked ??= redisFault(error);
  }

  // A doubt may stay: the next call finds it.
  leaveOpen(): void {}
  waitFor(): void {}

  onCommit(reported: Promise<void>): void {
    this.#committed = reported;
  }

  async #faultOf(error: unknown): Promise<unknown> {
    const { id } = this.#effect;
    if (!(error instanceof HoldfastError)) return error;
    if (this.#hasBegun && isUnanswered(error))
      return await this.#inDoubt(
        `effect "${id}" was begun, and Redis did not record what became of it`,
        error,
      );
    if (!this.#hasBegun && error.code === "EFFECT_BUSY")
      return new EffectBusyError(`Another call may still be at effect "${id}"`, error.retryAfterMs ?? 0);
    return error instanceof InDoubtError ? await this.#inDoubt(error.message, error) : error;
  }

  async #inDoubt(message: string, cause: HoldfastError): Promise<InDoubtError> {
    const { dedupKey, id } = this.#named;
    const name = this.#effect.id;
    const doubt = await doubtOf(this.#ledgers.store, { dedupKey, name }, { id, reason: message });
    return new InDoubtError(`${message}; ${howResolved(id, name)}`, {
      cause,
      retryable: cause.retryable,
      doubt,
    });
  }
}

/** Stored results come from processes of other versions, and from people. */
function checked({ name, result: schema }: GuardedEffect, result: unknown): unknown {
  if (schema === undefined) return result;
  const { issues } = check(schema, result);
  if (issues === undefined) return result;
  const message = `Effect "${name}" is done, and what is kept of its result does not match its schema`;
  throw new HoldfastError("RESULT_INVALID", message, { issues: schemaIssues(issues) });
}

/** What the schema makes of a result. The effect is done whatever that is: one that does not fit is found when it is read. */
function kept(schema: Schema | undefined, result: unknown): unknown {
  if (schema === undefined) return result;
  try {
    const checked = check(schema, result);
    return checked.issues === undefined ? checked.value : null;
  } catch {
    return null;
  }
}

function timeIsOver(): HoldfastError {
  return new HoldfastError("EFFECT_TIMED_OUT", "The time of the reservation is over");
}
