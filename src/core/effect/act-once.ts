import { InDoubtError, SnoozeError } from "../../evidence/attempt-errors.ts";
import { OutgoingRecord } from "../../evidence/outgoing/outgoing-record.ts";
import { inScope } from "../../evidence/outgoing/scope.ts";
import { refuseUnfinished } from "../../evidence/outgoing/unfinished.ts";
import { warnOfRetries } from "../../evidence/outgoing/warn-of-retries.ts";
import { watchOutgoing } from "../../evidence/outgoing/watch-outgoing.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import { underDeadline } from "../../platform/lib/deadline.ts";
import { elapsedSince, type Moment, momentNow } from "../../platform/lib/moment.ts";
import { foreign } from "../../platform/lib/thrown.ts";
import { keyMissing } from "../../platform/redis/encryption/codec.ts";
import { isUnanswered, untilAnswered } from "../../platform/redis/redis-errors.ts";
import { inSpan } from "../../platform/telemetry/tracing.ts";
import { failpoint } from "../failpoints.ts";
import type { EffectCall, EffectOptions, ProbeAnswer } from "../job/effect.ts";
import { reasonOf, wordOf } from "../job/failure.ts";
import type { Resolution } from "../job/resolution.ts";
import {
  type EffectRun,
  emit,
  inDoubt,
  keyOf,
  notReserved,
  reservedEffect,
  resultJson,
} from "./effect-run.ts";
import type { Reservation } from "./ledger/ledger-answers.ts";
import { afterFailure, type Begun, report, reportOver, sendCommit } from "./report-effect.ts";

/** The attempt aborts at the effect's time-out; others wait this much longer before they call the effect in doubt. */
export const ABORT_MARGIN_MS = 1_000;

/** Takes one effect through reserve → run → commit, or to where an earlier attempt has brought it. */
export async function actOnce(effect: EffectRun): Promise<unknown> {
  const { attempt } = effect;
  attempt.abort.throwIfAborted();
  const injected = failpoint("reserve:before", attempt.job.id);
  if (injected !== undefined) await injected;
  attempt.job.lease.assert();
  const askedAt = momentNow();
  const reservation = await reserve(effect);
  switch (reservation.kind) {
    case "reserved":
      emit(effect, "effect.reserved");
      return await runReserved(effect, askedAt, reservation);
    case "done":
      return storedResult(effect, reservation.result);
    case "busy":
      throw blockedBy(effect, effectBusy(effect.id, reservation));
    case "in-doubt":
      emit(effect, "effect.in-doubt");
      await askProbe(effect, reservation.fence);
      return await actOnce(effect);
    case "unreadable":
      throw blockedBy(effect, keyMissing(reservation.key));
    case "not-leased":
      await giveBack(effect);
      throw attempt.job.lease.own(notBegun(effect, "LOCK_LOST", "Another worker has claimed the job"));
    case "cancelled":
      await giveBack(effect);
      throw blockedBy(effect, notBegun(effect, "CANCELLED", "Cancelled by an operator"));
    case "forgotten":
      throw blockedBy(effect, notBegun(effect, "EFFECTS_FORGOTTEN", FORGOTTEN));
  }
}

const FORGOTTEN = "The job asked for effects before, and what was known of them is gone";

/** The attempt ends with this fault, even if its handler catches it. */
function blockedBy({ end }: EffectRun, fault: unknown): unknown {
  end.block(fault);
  return fault;
}

function notBegun({ id }: EffectRun, code: ErrorCode, why: string): HoldfastError {
  return new HoldfastError(code, `${why}; effect "${id}" was not begun`);
}

/** Without a reservation nothing begins, and the attempt must not complete as if the effect had happened. */
async function reserve(effect: EffectRun): Promise<Reservation> {
  const { declaration, attempt } = effect;
  try {
    return await attempt.ledger.reserve(reservedEffect(effect), {
      deadlineMs: declaration.timeoutMs + ABORT_MARGIN_MS,
      repeatMs: declaration.inDoubt === "repeat" ? declaration.downstreamRemembersMs : 0,
    });
  } catch (error) {
    if (!isUnanswered(error)) throw blockedBy(effect, error);
    const fault = blockedBy(effect, notReserved(error));
    const given = giveBack(effect);
    // What follows may be the end of the job.
    if (effect.end.isOfJob) await given;
    else effect.end.waitFor(given);
    throw fault;
  }
}

/**
 * The command may have been sent twice, and its first reply lost: then Redis has the reservation. Nothing of it ever runs, and nobody else
 * knows that: the doubt that would become of it would look as if its run were under way for as long as this worker lives.
 */
async function giveBack(effect: EffectRun): Promise<void> {
  const { id, reservationId, attempt } = effect;
  const released = untilAnswered(() => attempt.ledger.release(id, reservationId), {
    isLeased: () => attempt.job.lease.isLocked(),
  });
  await released.catch(() => reportOver(effect, undefined));
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
async function runReserved(
  effect: EffectRun,
  askedAt: Moment,
  { unconfirmed, fence }: Extract<Reservation, { kind: "reserved" }>,
): Promise<unknown> {
  const { id, name, declaration, attempt } = effect;
  const { job } = attempt;
  const timedOut = () =>
    job.lease.own(
      new HoldfastError(
        "EFFECT_TIMED_OUT",
        `Effect "${id}" took longer than its ${declaration.timeoutMs} ms`,
      ),
    );
  let begun: Begun | undefined;
  let result: unknown;
  try {
    if (unconfirmed !== undefined) {
      effect.end.block(notReserved(unconfirmed));
      throw unconfirmed;
    }
    const injected = failpoint("reserve:after", job.id);
    if (injected !== undefined) await injected;
    job.lease.assert();
    const leftMs = declaration.timeoutMs - elapsedSince(askedAt);
    if (leftMs <= 0) throw timedOut();
    result = await underDeadline(attempt.abort, leftMs, timedOut, (abort) => {
      const record = new OutgoingRecord();
      const run = callEffect(effect, new GivenCall(effect, abort, fence), record);
      begun = { record, run, abort };
      return run;
    });
    if (begun?.record.isAnswerCutOff())
      throw new InDoubtError("the connection was lost in the middle of the answer");
  } catch (error) {
    throw await afterFailure(effect, error, begun);
  } finally {
    if (begun !== undefined) warnOfRetries(job.type, name, begun.record, attempt.log);
  }
  const injected = failpoint("commit:before", job.id);
  if (injected !== undefined) await injected;
  return await sendCommit(effect, result, begun?.record);
}

function callEffect(effect: EffectRun, call: EffectCall, record: OutgoingRecord): Promise<unknown> {
  const { id, name, reservationId, run, attempt } = effect;
  const attributes = { "holdfast.job.id": attempt.job.id, "holdfast.effect": id };
  watchOutgoing();
  const inside = () => inScope(reservationId, record, () => run(call));
  return inSpan(`effect ${name}`, attributes, inside, attempt.scrub);
}

function storedResult(effect: EffectRun, json: string | null): unknown {
  if (json !== null) return JSON.parse(json);
  return effect.options.assumedResult?.({ key: keyOf(effect) });
}

/**
 * Asks downstream whether an effect in doubt happened, and resolves the doubt with the answer.
 *
 * @throws InDoubtError where there is no probe, or it does not know
 * @throws SnoozeError as the probe throws it
 */
async function askProbe(effect: EffectRun, fence: number): Promise<void> {
  const { id, declaration, options, attempt } = effect;
  if (declaration.inDoubt !== "probe" || options.probe === undefined)
    throw blockedBy(effect, inDoubt(id, "an earlier attempt left it in doubt"));
  const answer = await callProbe(effect, options.probe, fence);
  if (answer === "unknown")
    throw blockedBy(effect, inDoubt(id, "the probe does not know", { retryable: true }));
  const resolution = resolutionOf(answer);
  const resolved = await report(effect, () => attempt.ledger.resolve(id, resolution));
  if (resolved.kind === "resolved") emit(effect, "effect.resolved");
  attempt.log().info({ effect: id, as: resolution.as }, "the probe resolved a doubt");
}

function resolutionOf(answer: Exclude<ProbeAnswer<unknown>, "unknown">): Resolution {
  // Nobody is there to be asked. The policy's condition covers a run that is still under way.
  const found = { evidence: "the probe's answer", by: "probe", confirm: true };
  return answer === "not-done"
    ? { as: "not-done", ...found }
    : { as: "done", result: resultJson(answer.done), ...found };
}

async function callProbe(
  effect: EffectRun,
  probe: NonNullable<EffectOptions<unknown>["probe"]>,
  fence: number,
): Promise<ProbeAnswer<unknown>> {
  const { id, declaration, attempt } = effect;
  const late = () => new HoldfastError("EFFECT_TIMED_OUT", `The probe of effect "${id}" took too long`);
  try {
    return await underDeadline(attempt.abort, declaration.timeoutMs, late, async (abort) => {
      const call = new GivenCall(effect, abort, fence);
      const answer = await foreign(() => probe(call));
      // It would say that it is done, whatever it finds later.
      const refused = refuseUnfinished(answer);
      if (refused !== undefined) await refused;
      return declaredAnswer(answer);
    });
  } catch (error) {
    attempt.log().warn({ effect: id, reason: reasonOf(error, attempt.scrub) }, "probe failed");
    if (!(error instanceof SnoozeError)) return "unknown";
    throw blockedBy(effect, wordOf(error));
  }
}

/** Untyped probes return anything. An answer that is none of the three declared ones, or cannot be read, proves nothing. */
function declaredAnswer(answer: ProbeAnswer<unknown>): ProbeAnswer<unknown> {
  if (answer === "not-done") return answer;
  return answer !== "unknown" && Object.hasOwn(answer, "done") ? { done: answer.done } : "unknown";
}

/**
 * What an effect's function and its probe get. A class: V8 makes a hidden class of its own for each object with a getter in it, which keeps
 * the whole attempt alive until the next major collection (row `work-effect`).
 */
class GivenCall implements EffectCall {
  readonly key: string;
  readonly fence: number;
  readonly installation: string;
  readonly #abort: Abort;

  constructor(effect: EffectRun, abort: Abort, fence: number) {
    this.key = keyOf(effect);
    this.installation = effect.attempt.ledger.installation;
    this.fence = fence;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}
