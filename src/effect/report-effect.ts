import { setImmediate as endOfTurn } from "node:timers/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { EffectVerdict } from "../job/effect.ts";
import { messageOf } from "../lib/thrown.ts";
import { untilAnswered } from "../redis/until-answered.ts";
import { failpoint } from "../telemetry/failpoints.ts";
import { classify } from "./classify.ts";
import {
  EFFECT_RESULT_MAX_BYTES,
  type EffectContext,
  type EffectRun,
  emit,
  inDoubt,
  reservedEffect,
  resultJson,
} from "./effect-run.ts";

/** Reports what a failed run means. @returns the error that the attempt gets */
export async function afterFailure<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  error: unknown,
  isBegun: boolean,
  run: Promise<unknown> = Promise.resolve(),
): Promise<unknown> {
  const { id, reservationId, declaration } = effect;
  const { ledger, log } = context;
  const reason = context.scrub(messageOf(error));
  if (!isBegun || verdictOn(effect, context, error) === "not-done") {
    const release = await report(effect, context, () => ledger.release(id, reservationId));
    if (release !== "refused")
      emit(effect, context, release === "released" ? "effect.released" : "effect.in-doubt");
    log().info({ effect: id, release, reason }, "effect not done");
    return error;
  }
  const doubt = await report(effect, context, () => ledger.doubt(id, reservationId, reason));
  if (doubt === "in-doubt") emit(effect, context, "effect.in-doubt");
  // Not awaited: it may never return. Where it has, this report is in front of the attempt's end.
  ledger.reportReturn(id, reservationId, run).catch(() => {});
  log().warn({ effect: id, reason }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") {
    effect.end.leaveOpen();
    return error;
  }
  return inDoubt(id, reason, { cause: error, retryable: declaration.inDoubt === "probe" });
}

/** A classifier that throws, or returns anything but its two words, proves nothing. */
function verdictOn<T>(
  { id, options }: EffectRun<T>,
  { log, scrub }: EffectContext,
  error: unknown,
): EffectVerdict {
  try {
    const verdict = options.classify?.(error, { outgoing: [], isComplete: true }) ?? classify(error);
    return verdict === "not-done" ? "not-done" : "unknown";
  } catch (fault) {
    log().warn({ effect: id, reason: scrub(messageOf(fault)) }, "the effect's classifier failed");
    return "unknown";
  }
}

/**
 * Reports what has happened. An error reply is no refusal: the report is sent again until Redis answers, while this worker has
 * the job. If it is never answered, the next attempt finds the reservation and puts the effect in doubt.
 */
export async function report<T, R>(
  effect: EffectRun<T>,
  { job }: EffectContext,
  send: () => Promise<R>,
): Promise<R> {
  try {
    return await untilAnswered(send, { isLeased: () => job.lease.isLocked() });
  } catch (error) {
    effect.end.block(error);
    throw error;
  }
}

/**
 * Sends the report that the effect is done, and does not wait for the reply.
 *
 * What the attempt does next, its own completion included, follows on the same connection, and a refused report breaks its
 * lease: it can neither begin another effect nor complete. If Redis replies with an error, the report is sent again and the
 * attempt waits for it; a completion that was on its way is not sent again before. A crash before Redis has the report leaves a doubt.
 */
export async function sendCommit<T>(effect: EffectRun<T>, context: EffectContext, result: T): Promise<void> {
  const json = resultJson(result);
  const sent = commitUntilAnswered(effect, context, json ?? "");
  // The ledger sends its batch at the end of this turn of the event loop.
  await endOfTurn();
  void sent;
  if (json !== undefined) return;
  throw new HoldfastError(
    "RESULT_INVALID",
    `Effect "${effect.id}" is done and recorded, but its result is not JSON of at most ${EFFECT_RESULT_MAX_BYTES} bytes`,
  );
}

/** Never rejects: what becomes of the report decides the end of the attempt. */
async function commitUntilAnswered<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  json: string,
): Promise<void> {
  const { id, end } = effect;
  const { job, ledger, log } = context;
  const commit = untilAnswered(() => ledger.commit(reservedEffect(effect, context), json), {
    isLeased: () => job.lease.isLocked(),
    onRefused: (error) => {
      log().warn({ effect: id, reason: messageOf(error) }, "effect done; Redis refuses the report for now");
      end.waitFor(commit);
    },
  });
  try {
    const outcome = await commit;
    if (outcome === "done") {
      emit(effect, context, "effect.done");
      return await failpoint("commit:after", job.id);
    }
    log().warn({ effect: id, outcome }, "effect done, but too late to be recorded");
    end.block(inDoubt(id, "its worker reported it done after the deadline"));
  } catch (error) {
    log().error({ effect: id, reason: messageOf(error) }, "effect done, but Redis did not record it");
    end.block(error);
  }
}
