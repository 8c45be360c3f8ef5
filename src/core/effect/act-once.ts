import { OutgoingRecord } from "../../evidence/outgoing/outgoing-record.ts";
import { inScope } from "../../evidence/outgoing/scope.ts";
import { watchOutgoing } from "../../evidence/outgoing/watch-outgoing.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import { underDeadline } from "../../platform/lib/deadline.ts";
import { foreign, messageOf } from "../../platform/lib/thrown.ts";
import { keyMissing } from "../../platform/redis/encryption/codec.ts";
import { isUnanswered } from "../../platform/redis/redis-errors.ts";
import { inSpan } from "../../platform/telemetry/tracing.ts";
import { failpoint } from "../failpoints.ts";
import { InDoubtError, SnoozeError } from "../job/attempt-errors.ts";
import { effectKeyOf } from "../job/dedup-key.ts";
import type { EffectCall, EffectOptions, ProbeAnswer } from "../job/effect.ts";
import type { Resolution } from "../job/resolution.ts";
import {
  type EffectContext,
  type EffectRun,
  emit,
  inDoubt,
  notReserved,
  reservedEffect,
  resultJson,
} from "./effect-run.ts";
import type { Reservation } from "./ledger/ledger.ts";
import { afterFailure, type Begun, report, sendCommit, warnOfRetries } from "./report-effect.ts";

/** The attempt aborts at the effect's time-out; others wait this much longer before they call the effect in doubt. */
const ABORT_MARGIN_MS = 1_000;

/** Takes one effect through reserve → run → commit, or to where an earlier attempt has brought it. */
export async function actOnce<T>(effect: EffectRun<T>, context: EffectContext): Promise<T | undefined> {
  context.abort.throwIfAborted();
  await failpoint("reserve:before", context.job.id);
  context.job.lease.assert();
  const askedAt = performance.now();
  const reservation = await reserve(effect, context);
  switch (reservation.kind) {
    case "reserved":
      emit(effect, context, "effect.reserved");
      return await runReserved(effect, context, askedAt, reservation);
    case "done":
      return storedResult(effect, context, reservation);
    case "busy":
      throw effectBusy(effect.id, reservation);
    case "in-doubt":
      emit(effect, context, "effect.in-doubt");
      await askProbe(effect, context, reservation.fence);
      return await actOnce(effect, context);
    case "unreadable": {
      const unreadable = keyMissing(reservation.key);
      effect.end.block(unreadable);
      throw unreadable;
    }
    case "not-leased":
      throw notBegun("LOCK_LOST", "Another worker has claimed the job", effect);
    case "cancelled":
      throw blockedBy(effect, notBegun("CANCELLED", "Cancelled by an operator", effect));
    case "forgotten":
      throw blockedBy(effect, notBegun("EFFECTS_FORGOTTEN", FORGOTTEN, effect));
  }
}

const FORGOTTEN = "The job asked for effects before, and what was known of them is gone";

/** The attempt ends with this fault, even if its handler catches it. */
function blockedBy<T>({ end }: EffectRun<T>, fault: HoldfastError): HoldfastError {
  end.block(fault);
  return fault;
}

function notBegun<T>(
  code: "LOCK_LOST" | "CANCELLED" | "EFFECTS_FORGOTTEN",
  why: string,
  { id }: EffectRun<T>,
): HoldfastError {
  return new HoldfastError(code, `${why}; effect "${id}" was not begun`);
}

/** Without a reservation nothing begins, and the attempt must not complete as if the effect had happened. */
async function reserve<T>(effect: EffectRun<T>, context: EffectContext): Promise<Reservation> {
  const { declaration } = effect;
  try {
    return await context.ledger.reserve(reservedEffect(effect, context), {
      deadlineMs: declaration.timeoutMs + ABORT_MARGIN_MS,
      repeatMs: declaration.inDoubt === "repeat" ? declaration.downstreamRemembersMs : 0,
    });
  } catch (error) {
    const fault = isUnanswered(error) ? notReserved(error) : error;
    effect.end.block(fault);
    throw fault;
  }
}

/** A reservation ends with its deadline, so a job rarely waits for the same effect twice. No loop is endless. */
const DEFERRALS_MAX = 50;

export function effectBusy(id: string, { ms, times }: { readonly ms: number; readonly times: number }) {
  if (times > DEFERRALS_MAX)
    return new HoldfastError(
      "STARTS_EXHAUSTED",
      `The job was deferred ${DEFERRALS_MAX} times, since other attempts were at effect "${id}"`,
    );
  return new HoldfastError("EFFECT_BUSY", `Another worker may still be at effect "${id}"`, {
    retryAfterMs: ms,
  });
}

/**
 * Runs the effect within the rest of its time, counted from before the reservation was requested: this worker gives up before
 * others may call the effect in doubt.
 */
async function runReserved<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  askedAt: number,
  { unconfirmed, fence }: Extract<Reservation, { kind: "reserved" }>,
): Promise<T> {
  const { id, declaration } = effect;
  const timedOut = () =>
    new HoldfastError("EFFECT_TIMED_OUT", `Effect "${id}" took longer than its ${declaration.timeoutMs} ms`);
  let begun: Begun | undefined;
  let result: T;
  try {
    if (unconfirmed !== undefined) {
      effect.end.block(notReserved(unconfirmed));
      throw unconfirmed;
    }
    await failpoint("reserve:after", context.job.id);
    context.job.lease.assert();
    const leftMs = declaration.timeoutMs - (performance.now() - askedAt);
    if (leftMs <= 0) throw timedOut();
    result = await underDeadline(context.abort, leftMs, timedOut, (abort) => {
      const record = new OutgoingRecord();
      const run = callEffect(effect, context, { fence, abort, record });
      begun = { record, run };
      return run;
    });
    if (begun?.record.isAnswerCutOff())
      throw new InDoubtError("the connection was lost in the middle of the answer");
  } catch (error) {
    throw await afterFailure(effect, context, error, begun);
  } finally {
    if (begun !== undefined) warnOfRetries(effect, context, begun.record);
  }
  await failpoint("commit:before", context.job.id);
  await sendCommit(effect, context, result);
  return result;
}

interface Call {
  readonly fence: number;
  readonly abort: Abort;
  readonly record: OutgoingRecord;
}

function callEffect<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  { fence, abort, record }: Call,
): Promise<T> {
  const { id, name, run } = effect;
  const call = new GivenCall(effectKeyOf(context.ledger.dedupKey, id), abort, fence);
  const attributes = { "holdfast.job.id": context.job.id, "holdfast.effect": id };
  watchOutgoing();
  return inSpan(`effect ${name}`, attributes, () => inScope(effect, record, () => run(call)), context.scrub);
}

function storedResult<T>(
  { id, options }: EffectRun<T>,
  { ledger }: EffectContext,
  { result }: Extract<Reservation, { kind: "done" }>,
): T | undefined {
  if (result !== null) return JSON.parse(result) as T;
  return options.assumedResult?.({ key: effectKeyOf(ledger.dedupKey, id) });
}

type Probe<T> = NonNullable<EffectOptions<T>["probe"]>;

/**
 * Asks downstream whether an effect in doubt happened, and resolves the doubt with the answer.
 *
 * @throws InDoubtError where there is no probe, or it does not know
 * @throws SnoozeError as the probe throws it
 */
async function askProbe<T>(effect: EffectRun<T>, context: EffectContext, fence: number): Promise<void> {
  const { id, declaration, options } = effect;
  if (declaration.inDoubt !== "probe" || options.probe === undefined)
    throw inDoubt(id, "an earlier attempt never reported");
  const answer = await callProbe(effect, context, options.probe, fence);
  if (answer === "unknown") throw inDoubt(id, "the probe does not know", { retryable: true });
  const resolution = resolutionOf(answer);
  const resolved = await report(effect, context, () => context.ledger.resolve(id, resolution));
  if (resolved.kind === "resolved") emit(effect, context, "effect.resolved");
  context.log().info({ effect: id, as: resolution.as }, "the probe resolved a doubt");
}

function resolutionOf<T>(answer: Exclude<ProbeAnswer<T>, "unknown">): Resolution {
  // Nobody is there to be asked. The policy's condition covers a run that is still under way.
  const found = { evidence: "the probe's answer", by: "probe", confirm: true };
  return answer === "not-done"
    ? { as: "not-done", ...found }
    : { as: "done", result: resultJson(answer.done), ...found };
}

async function callProbe<T>(
  { id, declaration, end }: EffectRun<T>,
  { ledger, abort: outer, log, scrub }: EffectContext,
  probe: Probe<T>,
  fence: number,
): Promise<ProbeAnswer<T>> {
  const late = () => new HoldfastError("EFFECT_TIMED_OUT", `The probe of effect "${id}" took too long`);
  const key = effectKeyOf(ledger.dedupKey, id);
  try {
    return await underDeadline(outer, declaration.timeoutMs, late, async (abort) => {
      const call = new GivenCall(key, abort, fence);
      return declaredAnswer(await foreign(() => probe(call)));
    });
  } catch (error) {
    log().warn({ effect: id, reason: scrub(messageOf(error)) }, "probe failed");
    if (!(error instanceof SnoozeError)) return "unknown";
    end.block(error);
    throw error;
  }
}

/** Untyped probes return anything. An answer that is none of the three declared ones, or cannot be read, proves nothing. */
function declaredAnswer<T>(answer: ProbeAnswer<T>): ProbeAnswer<T> {
  if (answer === "not-done") return answer;
  const isDone = typeof answer === "object" && answer !== null && Object.hasOwn(answer, "done");
  return isDone ? { done: answer.done } : "unknown";
}

/**
 * What an effect's function and its probe get. A class: V8 makes a hidden class of its own for each object with a getter in it, which keeps
 * the whole attempt alive until the next major collection (row `work-effect`).
 */
class GivenCall implements EffectCall {
  readonly key: string;
  readonly fence: number;
  readonly #abort: Abort;

  constructor(key: string, abort: Abort, fence: number) {
    this.key = key;
    this.fence = fence;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}
