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
import type { Ledger } from "./ledger.ts";

/** Writes down what a failed run means. @returns what the attempt is to be told */
export async function afterFailure<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectContext,
  error: unknown,
  begun: boolean,
): Promise<unknown> {
  const { id, nonce, declaration } = effect;
  const reason = owner.scrub(messageOf(error));
  if (!begun || verdictOn(effect, owner, error) === "not-done") {
    const release = await report(effect, owner, () => ledger.release(id, nonce));
    if (release !== "refused")
      emit(effect, owner, release === "released" ? "effect.released" : "effect.in-doubt");
    owner.log().info({ effect: id, release, reason }, "effect not done");
    return error;
  }
  const doubt = await report(effect, owner, () => ledger.doubt(id, nonce, reason));
  if (doubt === "in-doubt") emit(effect, owner, "effect.in-doubt");
  owner.log().warn({ effect: id, reason }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") return error;
  return inDoubt(id, reason, { cause: error, retryable: declaration.inDoubt === "probe" });
}

/** A classifier that throws, or answers anything but its two words, proves nothing. */
function verdictOn<T>({ id, options }: EffectRun<T>, owner: EffectContext, error: unknown): EffectVerdict {
  try {
    const verdict: EffectVerdict = options.classify?.(error) ?? classify(error);
    return verdict === "not-done" ? "not-done" : "unknown";
  } catch (fault) {
    owner.log().warn({ effect: id, reason: owner.scrub(messageOf(fault)) }, "the effect's classifier failed");
    return "unknown";
  }
}

/**
 * Writes down what has happened already: an error reply is no refusal, so the report is sent again until Redis answers, as
 * long as this worker has the job. What is not written down by then the next attempt finds reserved, and puts in doubt.
 */
export async function report<T, R>(
  effect: EffectRun<T>,
  owner: EffectContext,
  send: () => Promise<R>,
): Promise<R> {
  try {
    return await untilAnswered(send, { isLeased: owner.mayReport });
  } catch (error) {
    effect.block(error);
    throw error;
  }
}

/**
 * Sends the report that the effect is done, and does not wait for the answer.
 *
 * What the attempt does next, its own end included, follows on the same connection, and a report that is refused costs it
 * its job: it can neither begin another effect nor complete. Where Redis answers with an error, the report is sent again, and
 * the attempt waits for it. A crash before Redis has the report leaves a doubt.
 */
export async function sendCommit<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectContext,
  result: T,
): Promise<void> {
  const json = resultJson(result);
  const sent = commitUntilAnswered(effect, ledger, owner, json ?? "");
  // The ledger sends what it was told within a turn of the event loop at that turn's end.
  await endOfTurn();
  void sent;
  if (json !== undefined) return;
  throw new HoldfastError(
    "RESULT_INVALID",
    `Effect "${effect.id}" is done and recorded, but its result is not JSON of at most ${EFFECT_RESULT_MAX_BYTES} bytes`,
  );
}

/** Never rejects: what became of the report decides what may become of the attempt. */
async function commitUntilAnswered<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectContext,
  json: string,
): Promise<void> {
  const { id } = effect;
  const commit = untilAnswered(() => ledger.commit(reservedEffect(effect, owner), json), {
    isLeased: owner.mayReport,
    onRefused: (error) => {
      owner
        .log()
        .warn({ effect: id, reason: messageOf(error) }, "effect done; Redis does not take the report yet");
      effect.onRefused(commit);
    },
  });
  try {
    const outcome = await commit;
    if (outcome === "done") {
      emit(effect, owner, "effect.done");
      return await failpoint("commit:after", owner.jobId);
    }
    owner.log().warn({ effect: id, outcome }, "effect done, but too late to be recorded");
    effect.block(inDoubt(id, "its worker reported it done after the deadline"));
  } catch (error) {
    owner.log().error({ effect: id, reason: messageOf(error) }, "effect done, but Redis did not record it");
    effect.block(error);
  }
}
