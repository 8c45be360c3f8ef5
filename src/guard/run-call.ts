import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Lease } from "../core/bullmq/claim/lease.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { ABORT_MARGIN_MS, actOnce } from "../core/effect/act-once.ts";
import type { EffectOptionsInUse, EffectRun } from "../core/effect/effect-run.ts";
import type { StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import type { Events } from "../core/events.ts";
import type { EffectCall } from "../core/job/effect.ts";
import { EffectBusyError, InDoubtError } from "../evidence/attempt-errors.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { Logger } from "../platform/lib/logger.ts";
import { check, schemaIssues } from "../platform/lib/schema.ts";
import { isUnanswered, redisFault } from "../platform/redis/redis-errors.ts";
import { type CallTexts, callInDoubt, type NamedCall } from "./call.ts";
import type { GuardedEffect } from "./guard.ts";
import type { GuardLedgers } from "./guarded-ledger.ts";

/** What all calls of a guard share. */
export interface CallTools {
  readonly ledgersOf: (place: string) => GuardLedgers;
  readonly rememberMs: number;
  readonly events: Events;
  readonly log: Logger;
  /** Whether the guard has stopped for the code that asks: then nothing new begins, and nobody waits. */
  readonly isClosed: () => boolean;
}

/** A call, checked. */
export interface CheckedCall extends Omit<CallTexts, "key"> {
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
  const { dedupKey, place } = call.named;
  const ledgers = tools.ledgersOf(place);
  const fingerprint = await ledgers.fingerprintOf(dedupKey, call.content);
  const done = await ledgers.readDone({ dedupKey, name: effect.name }, fingerprint);
  if (done !== undefined) return fitting(effect, JSON.parse(done));
  for (let pauseMs = ASK_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, ASK_MAX_MS)) {
    const outcome: Outcome = { hasBegun: false };
    try {
      return await runOnce(tools, effect, call, { fingerprint, ledgers, outcome }, run);
    } catch (error) {
      const leftMs = giveUpAt - performance.now();
      // Once it has begun, that is what another effect inside of it says.
      if (outcome.hasBegun || !(error instanceof EffectBusyError) || leftMs <= 0) throw error;
      await sleep(Math.min(pauseMs, leftMs, error.retryAfterMs ?? pauseMs));
      if (tools.isClosed()) throw error;
    }
  }
}

/** What became of one try. */
interface Outcome {
  hasBegun: boolean;
  committed?: Promise<void>;
  blocked?: HoldfastError;
  /** Why nothing is kept of its result. */
  unkept?: unknown;
}

/** One try of a call. Its lease is its reservation's deadline: no lock, and nothing takes over. */
async function runOnce(
  { events, log, rememberMs: usualMs }: CallTools,
  guarded: GuardedEffect,
  call: CheckedCall,
  { fingerprint, ledgers, outcome }: { fingerprint: string; ledgers: GuardLedgers; outcome: Outcome },
  run: (call: EffectCall) => Promise<unknown>,
): Promise<unknown> {
  const { name, declaration, rememberMs = usualMs } = guarded;
  const { id, type, dedupKey, key } = call.named;
  const lease = new Lease(declaration.timeoutMs + ABORT_MARGIN_MS, timeIsOver);
  const said = { key, by: call.by, about: call.about, fingerprint, rememberMs, lease };
  const ledger = ledgers.ledgerOf({ dedupKey, name }, said);
  const job = { id, type, lockToken: "", delivery: 0, lease };
  const effect: EffectRun = {
    id: name,
    name,
    reservationId: randomUUID(),
    declaration,
    options: call.options,
    run: async (given) => {
      outcome.hasBegun = true;
      return keptOf(guarded, await run(given), outcome);
    },
    attempt: { job, ledger, abort: lease, log: () => log, scrub: (text) => text, events },
    end: {
      block(error) {
        outcome.blocked ??= redisFault(error);
      },
      // A doubt may stay: the next call finds it.
      leaveOpen() {},
      waitFor() {},
      onCommit(reported) {
        outcome.committed = reported;
      },
    },
  };
  try {
    const made = await actOnce(effect).finally(() => outcome.committed);
    const fault = outcome.blocked ?? outcome.unkept;
    if (fault !== undefined) throw fault;
    return fitting(guarded, made);
  } catch (thrown) {
    const error = outcome.blocked ?? outcome.unkept ?? thrown;
    throw await forCaller(error, outcome, ledgers.queue.store, { dedupKey, name, id });
  }
}

async function forCaller(
  error: unknown,
  { hasBegun }: Outcome,
  store: QueueStore,
  { id, ...effect }: StoredEffect & Pick<NamedCall, "id">,
): Promise<unknown> {
  const { name } = effect;
  if (!(error instanceof HoldfastError)) return error;
  if (!hasBegun && error.code === "EFFECT_BUSY")
    return new EffectBusyError(`Another call may still be at effect "${name}"`, error.retryAfterMs ?? 0);
  const isUnrecorded = hasBegun && isUnanswered(error);
  if (!isUnrecorded && !(error instanceof InDoubtError)) return error;
  const unrecorded = `effect "${name}" was begun, and Redis did not record what became of it`;
  return await callInDoubt(store, effect, id, isUnrecorded ? unrecorded : error.message, error);
}

/** What is stored comes from processes of other versions, too, and from people. @throws HoldfastError `RESULT_INVALID` */
function fitting(effect: GuardedEffect, result: unknown): unknown {
  madeOf(effect, result);
  return result;
}

/** JSON holds no symbol. */
const NOT_KEPT = Symbol("not kept");

/** The effect is done whatever it returned. */
function keptOf(effect: GuardedEffect, result: unknown, outcome: Outcome): unknown {
  try {
    return madeOf(effect, result);
  } catch (error) {
    outcome.unkept = error;
    return NOT_KEPT;
  }
}

/** What the schema makes of a result. */
function madeOf({ name, result: schema }: GuardedEffect, result: unknown): unknown {
  const made = schema === undefined ? { value: result } : check(schema, result);
  if (made.issues === undefined) return made.value;
  const message = `Effect "${name}" is done, and its result does not match its schema`;
  throw new HoldfastError("RESULT_INVALID", message, { issues: schemaIssues(made.issues) });
}

function timeIsOver(): HoldfastError {
  return new HoldfastError("EFFECT_TIMED_OUT", "The time of the reservation is over");
}
