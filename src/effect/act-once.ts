import { HoldfastError } from "../errors/holdfast-error.ts";
import { foreign } from "../lib/thrown.ts";
import { underDeadline } from "../lib/under-deadline.ts";
import { replicasMissing } from "../redis/replicas.ts";
import { failpoint } from "../telemetry/failpoints.ts";
import { inSpan } from "../telemetry/tracing.ts";
import { askProbe } from "./ask-probe.ts";
import { type EffectContext, type EffectRun, emit, GivenCall, reservedEffect } from "./effect-run.ts";
import type { Ledger, Reservation, ReservationRequest } from "./ledger.ts";
import { afterFailure, sendCommit } from "./report-effect.ts";

/** The owner aborts at its time-out; others wait this much longer before they call the effect in doubt. */
const ABORT_MARGIN_MS = 1_000;

/** Takes one effect through reserve → run → commit, or to wherever an earlier attempt has brought it. */
export async function actOnce<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectContext,
): Promise<T | undefined> {
  owner.abort.throwIfAborted();
  await failpoint("reserve:before", owner.jobId);
  owner.assertLeased();
  const askedAt = performance.now();
  const reservation = await reserve(effect, ledger, owner);
  switch (reservation.kind) {
    case "reserved":
      emit(effect, owner, "effect.reserved");
      return await runReserved(effect, ledger, owner, askedAt, reservation);
    case "done":
      return storedResult(effect, reservation);
    case "busy":
      throw effectBusy(effect.id, reservation);
    case "in-doubt":
      emit(effect, owner, "effect.in-doubt");
      await askProbe(effect, ledger, owner);
      return await actOnce(effect, ledger, owner);
    case "not-leased":
      throw new HoldfastError(
        "LOCK_LOST",
        `Another worker has taken the job over; effect "${effect.id}" was not begun`,
      );
    case "cancelled": {
      const cancelled = new HoldfastError(
        "CANCELLED",
        `Cancelled by an operator; effect "${effect.id}" was not begun`,
      );
      effect.block(cancelled);
      throw cancelled;
    }
  }
}

/** Where Redis did not answer, the reservation may be there: the attempt must not complete as if it were not. */
async function reserve<T>(effect: EffectRun<T>, ledger: Ledger, owner: EffectContext): Promise<Reservation> {
  try {
    return await ledger.reserve(reservationRequest(effect, owner));
  } catch (error) {
    effect.block(error);
    throw error;
  }
}

/** A reservation ends with its deadline, so that a job rarely waits for the same effect twice: no loop is endless. */
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

function reservationRequest<T>(effect: EffectRun<T>, owner: EffectContext): ReservationRequest {
  const { declaration } = effect;
  return {
    ...reservedEffect(effect, owner),
    worker: owner.worker,
    deadlineMs: declaration.timeoutMs + ABORT_MARGIN_MS,
    repeatMs: declaration.inDoubt === "repeat" ? declaration.downstreamRemembersMs : 0,
  };
}

/**
 * Runs the effect within what is left of its time. That is counted from before the reservation was asked for, so that
 * this worker has given up before others may call the effect in doubt.
 */
async function runReserved<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectContext,
  askedAt: number,
  { isConfirmed, fence }: Extract<Reservation, { kind: "reserved" }>,
): Promise<T> {
  const { id, name, key, declaration } = effect;
  const timedOut = () =>
    new HoldfastError("EFFECT_TIMED_OUT", `Effect "${id}" took longer than its ${declaration.timeoutMs} ms`);
  let begun = false;
  let result: T;
  try {
    if (!isConfirmed) throw replicasMissing();
    await failpoint("reserve:after", owner.jobId);
    owner.assertLeased();
    const leftMs = declaration.timeoutMs - (performance.now() - askedAt);
    if (leftMs <= 0) throw timedOut();
    result = await underDeadline(owner.abort, leftMs, timedOut, (abort) => {
      begun = true;
      return inSpan(
        `effect ${name}`,
        { "holdfast.job.id": owner.jobId, "holdfast.effect": id },
        () => foreign(() => effect.run(new GivenCall(key, fence, abort))),
        owner.scrub,
      );
    });
  } catch (error) {
    throw await afterFailure(effect, ledger, owner, error, begun);
  }
  await failpoint("commit:before", owner.jobId);
  await sendCommit(effect, ledger, owner, result);
  return result;
}

function storedResult<T>(
  { key, options }: EffectRun<T>,
  { result }: Extract<Reservation, { kind: "done" }>,
): T | undefined {
  return result === null ? options.assumedResult?.({ key }) : (JSON.parse(result) as T);
}
