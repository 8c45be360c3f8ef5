import { setImmediate as endOfTurn, setTimeout as sleep } from "node:timers/promises";
import type { NotDone } from "../../evidence/classifier.ts";
import type { Outgoing } from "../../evidence/outgoing/outgoing.ts";
import type { OutgoingRecord } from "../../evidence/outgoing/outgoing-record.ts";
import { outgoingText } from "../../evidence/outgoing/outgoing-text.ts";
import { currentScope } from "../../evidence/outgoing/scope.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { asError, messageOf } from "../../platform/lib/thrown.ts";
import { untilAnswered } from "../../platform/redis/redis-errors.ts";
import { failpoint } from "../failpoints.ts";
import { NotDoneError } from "../job/attempt-errors.ts";
import { notDone, verdictOn } from "./classify.ts";
import {
  EFFECT_RESULT_MAX_BYTES,
  type EffectContext,
  type EffectRun,
  emit,
  inDoubt,
  reservedEffect,
  resultJson,
} from "./effect-run.ts";

/** A run of an effect that was begun. */
export interface Begun {
  /** What it was seen to send. */
  readonly record: OutgoingRecord;
  /** Ends when its function does, however late. */
  readonly run: Promise<unknown>;
}

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

/** The error itself, unless the classifier knows when to try again, or that trying again cannot help. */
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
  // Not awaited: the run may never be over. If it is, this report is sent before the attempt's end.
  context.ledger.reportOver(id, reservationId, untilOver(begun)).catch(() => {});
  context.log().warn({ effect: id, reason, sent: evidence.map(outgoingText) }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") {
    effect.end.leaveOpen();
    return asError(thrown);
  }
  return inDoubt(id, reason, { cause: thrown, retryable: declaration.inDoubt === "probe" });
}

const LOOK_EVERY_MS = 200;

/** Resolves once the function has returned, and each request that it was seen to send was answered or has failed. */
async function untilOver({ record, run }: Begun): Promise<void> {
  await run.catch(() => {});
  while (record.isUnderWay()) await sleep(LOOK_EVERY_MS, undefined, { ref: false });
}

function scrubbed(outgoing: Outgoing, { scrub }: EffectContext): Outgoing {
  const { host, path } = outgoing;
  return { ...outgoing, host: scrub(host), path: path === null ? null : scrub(path) };
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

/** Effects that were warned of, by type and name. */
const warned = new Set<string>();
const WARNED_MAX = 10_000;

/** Warns, once for each effect and process, of a client that sends the same request again by itself. */
export function warnOfRetries<T>(
  { name }: EffectRun<T>,
  { job, log }: EffectContext,
  record: OutgoingRecord,
): void {
  const again = record.mostRepeated();
  const effect = `${job.type}/${name}`;
  if (again === undefined || warned.has(effect) || warned.size === WARNED_MAX) return;
  warned.add(effect);
  const { times, ...advice } = again;
  log().warn(
    { effect: name, requests: times, ...advice },
    `the client sent ${times} requests in one call of effect "${name}": switch its retries off`,
  );
}
