import { setImmediate as endOfTurn, setTimeout as sleep } from "node:timers/promises";
import { InDoubtError, NotDoneError } from "../../evidence/attempt-errors.ts";
import type { NotDone } from "../../evidence/classifier.ts";
import { hintFor } from "../../evidence/outgoing/hint.ts";
import type { Outgoing } from "../../evidence/outgoing/outgoing.ts";
import type { OutgoingRecord } from "../../evidence/outgoing/outgoing-record.ts";
import { hintText, outgoingText } from "../../evidence/outgoing/outgoing-text.ts";
import { NOT_DONE, type Unknown, verdictOn } from "../../evidence/outgoing/verdict.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import { asError, messageOf } from "../../platform/lib/thrown.ts";
import { untilAnswered } from "../../platform/redis/redis-errors.ts";
import { failpoint } from "../failpoints.ts";
import { reasonOf } from "../job/failure.ts";
import {
  type EffectContext,
  type EffectRun,
  emit,
  inDoubt,
  keyOf,
  reservedEffect,
  resultJson,
  resultUnkept,
} from "./effect-run.ts";
import type { RunOver } from "./ledger/ledger.ts";

/** A run of an effect that was begun. */
export interface Begun {
  /** What it was seen to send. */
  readonly record: OutgoingRecord;
  /** Ends when its function does, however late. */
  readonly run: Promise<unknown>;
  /** Behind the signal that its function got. */
  readonly abort: Abort;
}

/**
 * Reports what a failed run means.
 *
 * @param thrown as the effect's function threw it
 * @param begun undefined if the function was not called
 * @returns the error that the attempt gets
 */
export async function afterFailure(
  effect: EffectRun,
  thrown: unknown,
  begun: Begun | undefined,
): Promise<Error> {
  try {
    if (begun === undefined) return await release(effect, thrown, NOT_DONE);
    const verdict = judge(effect, thrown, begun.record);
    // A call that is still to come, which `Promise.all` did not wait for, is refused by its signal.
    begun.abort.abortWhenAsked(hasFailed(effect));
    return verdict.verdict === "unknown"
      ? await putInDoubt(effect, thrown, begun, verdict)
      : await release(effect, thrown, verdict);
  } catch (unreported) {
    reportOver(effect, begun);
    throw unreported;
  }
}

/**
 * Reports that the run is over, once it is: until then its doubt looks as if it were under way. A run that has succeeded says so: whoever
 * looked before it acted saw nothing. Not awaited: it may never be over. If it is, this report is sent before the attempt's end.
 */
export function reportOver({ id, reservationId, attempt }: EffectRun, begun: Begun | undefined): void {
  const over = begun === undefined ? Promise.resolve({ result: undefined }) : untilOver(begun);
  attempt.ledger.reportOver(id, reservationId, over).catch(() => {});
}

function hasFailed({ id }: EffectRun): HoldfastError {
  return new HoldfastError("RESERVATION_LOST", `Effect "${id}" has failed, so nothing of it begins any more`);
}

/** The effect's own classifier is asked first, then that of its declaration. One that throws proves nothing. */
function judge(effect: EffectRun, thrown: unknown, record: OutgoingRecord): NotDone | Unknown {
  const { id, options, declaration, attempt } = effect;
  const classifiers = [options.classify, declaration.classify];
  try {
    return verdictOn({ thrown, record, key: keyOf(effect), classifiers, declared: declaration });
  } catch (fault) {
    attempt
      .log()
      .warn({ effect: id, reason: reasonOf(fault, attempt.scrub) }, "the effect's classifier failed");
    return { verdict: "unknown" };
  }
}

async function release(effect: EffectRun, thrown: unknown, verdict: NotDone): Promise<Error> {
  const { id, reservationId, attempt } = effect;
  const outcome = await report(effect, () => attempt.ledger.release(id, reservationId));
  if (outcome !== "refused") emit(effect, outcome === "released" ? "effect.released" : "effect.in-doubt");
  const reason = reasonOf(thrown, attempt.scrub);
  attempt.log().info({ effect: id, release: outcome, reason }, "effect not done");
  return withAdvice(thrown, verdict);
}

/** The error itself, unless the classifier knows when to try again, or that trying again cannot help. */
function withAdvice(thrown: unknown, { retryAfterMs, permanent }: NotDone): Error {
  if (retryAfterMs === undefined && permanent !== true) return asError(thrown);
  return new NotDoneError(messageOf(thrown), { retryAfterMs, permanent, cause: thrown });
}

async function putInDoubt(
  effect: EffectRun,
  thrown: unknown,
  begun: Begun,
  { because, isUnexplained }: Unknown,
): Promise<Error> {
  const { id, reservationId, declaration, attempt } = effect;
  const { ledger, scrub } = attempt;
  const thrownReason = reasonOf(thrown, scrub);
  const reason =
    because === undefined ? thrownReason : `${thrownReason}; this proves nothing, because ${because}`;
  const evidence = evidenceIn(begun.record, scrub);
  const hint = isUnexplained === true ? hintFor(thrown, begun.record) : undefined;
  const doubt = await report(effect, () => ledger.doubt(id, reservationId, { reason, evidence, hint }));
  if (doubt === "in-doubt") emit(effect, "effect.in-doubt");
  reportOver(effect, begun);
  const advice = hint && hintText(hint);
  const why = { ...(because !== undefined && { because }), ...(advice !== undefined && { advice }) };
  const sent = evidence.map(outgoingText);
  attempt.log().warn({ effect: id, reason: thrownReason, sent, ...why }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") {
    effect.end.leaveOpen();
    if (!(thrown instanceof InDoubtError)) return asError(thrown);
    return attempt.job.lease.own(inDoubt(id, reason, { cause: thrown, retryable: true }));
  }
  const fault = inDoubt(id, reason, { cause: thrown, retryable: declaration.inDoubt === "probe" });
  effect.end.block(fault);
  return fault;
}

const LOOK_EVERY_MS = 200;
/** What is written to a connection may need no answer. As long as a worker that is not seen counts as running. */
const CONNECTION_OVER_MS = 10 * 60_000;

/**
 * Resolves once the function has returned, and all that it was seen to send was answered or has ended: requests without limit, other connections
 * for ten minutes at most.
 */
async function untilOver({ record, run }: Begun): Promise<RunOver> {
  const returned = await run.then(
    (value) => resultJson(value) ?? "",
    () => undefined,
  );
  const until = performance.now() + CONNECTION_OVER_MS;
  const isOver = () => !(performance.now() < until ? record.isUnderWay() : record.isRequestUnderWay());
  while (!isOver()) await sleep(LOOK_EVERY_MS, undefined, { ref: false });
  return { result: record.isAnswerCutOff() ? undefined : returned };
}

/** What a run was seen to send, without the job's secrets. */
function evidenceIn(record: OutgoingRecord, scrub: EffectContext["scrub"]): Outgoing[] {
  return record.seen().outgoing.map(({ at, protocol, host, method, path, sent, status, ended, afterMs }) => ({
    at,
    protocol,
    host: scrub(host),
    method,
    path: path === null ? null : scrub(path),
    sent,
    status,
    ended,
    afterMs,
  }));
}

/**
 * Reports what has happened. An error reply is no refusal: the report is sent again until Redis answers, while this worker has
 * the job. If it is never answered, the next attempt finds the reservation and puts the effect in doubt.
 */
export async function report<R>({ attempt, end }: EffectRun, send: () => Promise<R>): Promise<R> {
  try {
    return await untilAnswered(send, { isLeased: () => attempt.job.lease.isLocked() });
  } catch (error) {
    end.block(error);
    throw error;
  }
}

/**
 * Sends the report that the effect is done, and does not wait for the reply.
 *
 * What the attempt does next, its own completion included, follows on the same connection, and a refused report breaks its
 * lease: it can neither begin another effect nor complete. Returns what later attempts get, too: what JSON has kept of the result. If Redis replies with an error, the report is sent again and the
 * attempt waits for it; a completion that was on its way is not sent again before. A crash before Redis has the report leaves a doubt.
 *
 * @param record what the run was seen to send
 */
export async function sendCommit(
  effect: EffectRun,
  result: unknown,
  record: OutgoingRecord | undefined,
): Promise<unknown> {
  const json = resultJson(result);
  const seen = record === undefined || record.isEmpty ? [] : evidenceIn(record, effect.attempt.scrub);
  const sent = commitUntilAnswered(effect, json ?? "", seen);
  // The ledger sends its batch at the end of this turn of the event loop.
  await (effect.end.isOfJob ? endOfTurn() : sent);
  if (json !== undefined) return JSON.parse(json);
  throw effect.attempt.job.lease.own(resultUnkept(effect.id));
}

/** Never rejects: what becomes of the report decides the end of the attempt. */
async function commitUntilAnswered(
  effect: EffectRun,
  json: string,
  seen: readonly Outgoing[],
): Promise<void> {
  const { id, end, attempt } = effect;
  const { job, ledger, log } = attempt;
  const commit = untilAnswered(() => ledger.commit(reservedEffect(effect), json, seen), {
    isLeased: () => job.lease.isLocked(),
    onRefused: (error) => {
      log().warn({ effect: id, reason: messageOf(error) }, "effect done; Redis refuses the report for now");
      end.waitFor(commit);
    },
  });
  try {
    const outcome = await commit;
    if (outcome === "done") {
      emit(effect, "effect.done");
      return await failpoint("commit:after", job.id);
    }
    log().warn({ effect: id, outcome }, "effect done, but too late to be recorded");
    end.block(inDoubt(id, "its worker reported it done after the deadline"));
  } catch (error) {
    log().error({ effect: id, reason: messageOf(error) }, "effect done, but Redis did not record it");
    end.block(error);
  }
}
