import { setImmediate as endOfTurn } from "node:timers/promises";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { asError, messageOf } from "../../platform/lib/thrown.ts";
import { untilAnswered } from "../../platform/redis/redis-errors.ts";
import { failpoint } from "../failpoints.ts";
import { NotDoneError } from "../job/attempt-errors.ts";
import type { NotDone } from "../job/effect.ts";
import type { Outgoing } from "../job/outgoing.ts";
import { type Begun, untilOver } from "./begun-run.ts";
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
import type { OutgoingRecord } from "./outgoing/outgoing-record.ts";
import { outgoingText } from "./outgoing/outgoing-text.ts";
import { currentScope } from "./scope.ts";

/**
 * Reports what a failed run means.
 *
 * @param thrown as the effect's function threw it
 * @param begun undefined if the function was not called
 * @returns the error that the attempt gets
 */
export async function afterFailure<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  thrown: unknown,
  begun: Begun | undefined,
): Promise<Error> {
  if (begun === undefined) return await release(effect, context, thrown, notDone);
  const verdict = verdictOn(effect, context, thrown, begun.record);
  const error =
    verdict === "unknown"
      ? await putInDoubt(effect, context, thrown, begun)
      : await release(effect, context, thrown, verdict);
  currentScope()?.record.addInnerError(error);
  return error;
}

const notDone: NotDone = { verdict: "not-done" };

async function release<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  thrown: unknown,
  verdict: NotDone,
): Promise<Error> {
  const { id, reservationId } = effect;
  const outcome = await report(effect, context, () => context.ledger.release(id, reservationId));
  if (outcome !== "refused")
    emit(effect, context, outcome === "released" ? "effect.released" : "effect.in-doubt");
  const reason = context.scrub(messageOf(thrown));
  context.log().info({ effect: id, release: outcome, reason }, "effect not done");
  return withAdvice(thrown, verdict);
}

/** The error itself, unless the classifier knows when to try again, or that it cannot help. */
function withAdvice(thrown: unknown, { retryAfterMs, permanent }: NotDone): Error {
  if (retryAfterMs === undefined && permanent !== true) return asError(thrown);
  return new NotDoneError(messageOf(thrown), { retryAfterMs, permanent, cause: thrown });
}

async function putInDoubt<T>(
  effect: EffectRun<T>,
  context: EffectContext,
  thrown: unknown,
  begun: Begun,
): Promise<Error> {
  const { id, reservationId, declaration } = effect;
  const reason = context.scrub(messageOf(thrown));
  const evidence = begun.record.seen().outgoing.map((one) => scrubbed(one, context));
  const found = { reason, evidence };
  const doubt = await report(effect, context, () => context.ledger.doubt(id, reservationId, found));
  if (doubt === "in-doubt") emit(effect, context, "effect.in-doubt");
  // Not awaited: it may never be over. Where it is, this report is in front of the attempt's end.
  context.ledger.reportOver(id, reservationId, untilOver(begun)).catch(() => {});
  context.log().warn({ effect: id, reason, sent: evidence.map(outgoingText) }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") {
    effect.end.leaveOpen();
    return asError(thrown);
  }
  return inDoubt(id, reason, { cause: thrown, retryable: declaration.inDoubt === "probe" });
}

function scrubbed(outgoing: Outgoing, { scrub }: EffectContext): Outgoing {
  const { host, path } = outgoing;
  return { ...outgoing, host: scrub(host), path: path === null ? null : scrub(path) };
}

/** A classifier that throws, or returns anything but a verdict, proves nothing. */
function verdictOn<T>(
  { id, options, declaration }: EffectRun<T>,
  { log, scrub }: EffectContext,
  thrown: unknown,
  record: OutgoingRecord,
): NotDone | "unknown" {
  try {
    const seen = record.seen();
    const verdict: unknown =
      options.classify?.(thrown, seen) ??
      declaration.classify?.(thrown, seen) ??
      classify(thrown, record, declaration.onError);
    return readVerdict(verdict);
  } catch (fault) {
    log().warn({ effect: id, reason: scrub(messageOf(fault)) }, "the effect's classifier failed");
    return "unknown";
  }
}

function readVerdict(verdict: unknown): NotDone | "unknown" {
  if (verdict === "not-done") return notDone;
  const { verdict: word, retryAfterMs, permanent }: Partial<NotDone> = Object(verdict);
  if (word !== "not-done") return "unknown";
  return {
    verdict: word,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    permanent: permanent === true,
  };
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
