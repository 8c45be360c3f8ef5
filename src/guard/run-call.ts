import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Lease } from "../core/bullmq/claim/lease.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { ABORT_MARGIN_MS, actOnce } from "../core/effect/act-once.ts";
import type { AttemptEnd, EffectRun } from "../core/effect/effect-run.ts";
import type { StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import type { Events } from "../core/events.ts";
import type { EffectCall } from "../core/job/effect.ts";
import { EffectBusyError, InDoubtError } from "../evidence/attempt-errors.ts";
import { refuseUnfinished } from "../evidence/outgoing/unfinished.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { Logger } from "../platform/lib/logger.ts";
import { check, schemaIssues } from "../platform/lib/schema.ts";
import { isUnanswered, redisFault } from "../platform/redis/redis-errors.ts";
import { type CheckedCall, callInDoubt, type NamedCall } from "./call.ts";
import type { GuardedEffect } from "./guard.ts";
import { GuardedLedger, type GuardLedgers } from "./guarded-ledger.ts";

/** What all calls of a guard share. */
export interface CallTools {
  readonly ledgersOf: (place: string) => GuardLedgers;
  readonly rememberMs: number;
  readonly events: Events;
  readonly log: Logger;
  /** Whether the guard has stopped for the code that asks: then nothing new begins, and nobody waits. */
  readonly isClosed: () => boolean;
  /** A report that the call itself does not wait for. */
  readonly waitFor: (report: Promise<unknown>) => void;
}

/** How often a call that waits asks again: sooner after the start, when most effects end. */
const ASK_FIRST_MS = 20;
const ASK_MAX_MS = 500;

type Run = (call: EffectCall) => Promise<unknown>;

/** Runs an effect for a call, or finds its result; waits while another call runs it. */
export async function runCall(
  tools: CallTools,
  effect: GuardedEffect,
  call: CheckedCall,
  run: Run,
): Promise<unknown> {
  const giveUpAt = performance.now() + call.waitMs;
  const { dedupKey, place } = call.named;
  const ledgers = tools.ledgersOf(place);
  const hashed = ledgers.fingerprintOf(dedupKey, call.content);
  const fingerprint = typeof hashed === "string" ? hashed : await hashed;
  const done = ledgers.foundDone && (await ledgers.readDone({ dedupKey, name: effect.name }, fingerprint));
  if (done) return fitting(effect, JSON.parse(done));
  for (let pauseMs = ASK_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, ASK_MAX_MS)) {
    const tried = new Try(tools.waitFor);
    try {
      return await runOnce(tools, effect, call, { fingerprint, ledgers, tried }, run);
    } catch (error) {
      const leftMs = giveUpAt - performance.now();
      // Once it has begun, that is what another effect inside of it says.
      if (tried.hasBegun || !(error instanceof EffectBusyError) || leftMs <= 0) throw error;
      await sleep(Math.min(pauseMs, leftMs, error.retryAfterMs ?? pauseMs));
      if (tools.isClosed()) throw error;
    }
  }
}

/** One try of a call, and what became of it. */
class Try implements AttemptEnd {
  readonly isOfJob = false;
  readonly waitFor: AttemptEnd["waitFor"];
  hasBegun = false;
  #blocked: HoldfastError | undefined;
  #unkept: unknown;

  constructor(waitFor: AttemptEnd["waitFor"]) {
    this.waitFor = waitFor;
  }

  /** Runs the effect, which is done whatever it returns. */
  async run(effect: GuardedEffect, run: Run, given: EffectCall): Promise<unknown> {
    this.hasBegun = true;
    const result = await run(given);
    // Its schema may leave out what nothing has waited for.
    const refused = refuseUnfinished(result);
    if (refused !== undefined) await refused;
    try {
      return madeOf(effect, result);
    } catch (error) {
      this.#unkept = error;
      return NOT_KEPT;
    }
  }

  /** Why it fails, whatever its effect returned. */
  get fault(): unknown {
    return this.#blocked ?? this.#unkept;
  }

  block(error: unknown): void {
    this.#blocked ??= redisFault(error);
  }

  // A doubt may stay: the next call finds it.
  leaveOpen(): void {}
}

/** Its lease is its reservation's deadline: no lock, and nothing takes over. */
async function runOnce(
  { events, log, rememberMs: usualMs }: CallTools,
  guarded: GuardedEffect,
  call: CheckedCall,
  { fingerprint, ledgers, tried }: { fingerprint: string; ledgers: GuardLedgers; tried: Try },
  run: Run,
): Promise<unknown> {
  const { name, declaration, rememberMs = usualMs } = guarded;
  const { id, type, dedupKey, key } = call.named;
  const lease = new Lease(declaration.timeoutMs + ABORT_MARGIN_MS, timeIsOver);
  const said = { key, by: call.by, about: call.about, fingerprint, rememberMs, lease };
  const ledger = new GuardedLedger(ledgers, dedupKey, said);
  const job = { id, type, lockToken: "", delivery: 0, lease };
  const effect: EffectRun = {
    id: name,
    name,
    reservationId: randomUUID(),
    declaration,
    options: call.options,
    run: (given) => tried.run(guarded, run, given),
    attempt: { job, ledger, abort: lease, log: () => log, scrub: (text) => text, events },
    end: tried,
  };
  try {
    const made = await actOnce(effect);
    if (tried.fault !== undefined) throw tried.fault;
    return fitting(guarded, made);
  } catch (thrown) {
    throw await forCaller(thrown, tried, ledgers.queue.store, { dedupKey, name, id });
  }
}

async function forCaller(
  thrown: unknown,
  { hasBegun, fault }: Try,
  store: QueueStore,
  { id, ...effect }: StoredEffect & Pick<NamedCall, "id">,
): Promise<unknown> {
  const { name } = effect;
  const error = fault ?? thrown;
  if (!(error instanceof HoldfastError)) return error;
  if (!hasBegun && error.code === "EFFECT_BUSY")
    return new EffectBusyError(`Another call may still be at effect "${name}"`, error.retryAfterMs ?? 0);
  // What the function throws may have the same code.
  const isUnrecorded = hasBegun && isUnanswered(fault);
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

/** What the schema makes of a result. */
function madeOf({ name, result: schema }: GuardedEffect, result: unknown): unknown {
  const made = schema === undefined ? { value: result } : check(schema, result);
  if (made.issues === undefined) return made.value;
  const message = `Effect "${name}" is done, and its result does not match its schema`;
  throw new HoldfastError("RESULT_INVALID", message, { issues: schemaIssues(made.issues) });
}

const timeIsOver = () => new HoldfastError("EFFECT_TIMED_OUT", "The time of the reservation is over");
