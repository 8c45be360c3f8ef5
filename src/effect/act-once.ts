import { setImmediate as endOfTurn } from "node:timers/promises";
import { InDoubtError } from "../contract/attempt-errors.ts";
import type { EffectCall, EffectDeclaration, EffectOptions } from "../contract/effect.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { faultPoint } from "../observe/fault-points.ts";
import type { Logger } from "../observe/logger.ts";
import { inSpan } from "../observe/tracing.ts";
import type { Abort } from "../service/abort.ts";
import { underDeadline } from "../service/under-deadline.ts";
import { replicasMissing } from "../store/replicas.ts";
import { classify } from "./classify.ts";
import type { EffectTransition } from "./effect-metrics.ts";
import type { EffectClaimant, Ledger, Reservation, ReservationRequest } from "./ledger.ts";

/** The attempt on whose behalf effects run. */
export interface EffectOwner {
  readonly jobId: string;
  readonly claim: string;
  readonly lockToken: string;
  readonly start: number;
  readonly worker: string;
  /** Comes when the attempt must end. */
  readonly abort: Abort;
  /** Made when it is needed: most effects have nothing to tell. */
  readonly log: () => Logger;
  /** Takes the job's secrets out of a text. */
  readonly scrub: (text: string) => string;
  /** Told of each transition; the effect by its declared name. */
  readonly count: ((effect: string, transition: EffectTransition) => void) | undefined;
  /** @throws HoldfastError `LOCK_LOST` when this process was stopped for longer than its lock lasts */
  assertHeld(): void;
}

export type EffectOptionsInUse<T> = EffectOptions<T> & {
  readonly assumedResult?: (call: Pick<EffectCall, "key">) => T;
};

const RESULT_MAX_BYTES = 16 * 1_024;
/** The owner aborts at its time-out; others wait this much longer before they call the effect in doubt. */
const ABORT_MARGIN_MS = 1_000;

/** One effect of one attempt, on its way through reserve → run → commit. */
interface EffectRun<T> {
  readonly id: string;
  /** As it is declared, without an index: names of spans and labels of metrics must be few. */
  readonly name: string;
  readonly key: string;
  readonly nonce: string;
  readonly declaration: EffectDeclaration;
  readonly options: EffectOptionsInUse<T>;
  readonly run: (call: EffectCall) => Promise<T>;
  /** Told when the store did not take the report that it is done. */
  readonly onUnrecorded: (doubt: InDoubtError) => void;
}

/** Takes one effect through reserve → run → commit, or to wherever an earlier attempt has brought it. */
export async function actOnce<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectOwner,
): Promise<T | undefined> {
  owner.abort.throwIfAborted();
  await faultPoint("reserve:before", owner.jobId);
  owner.assertHeld();
  const askedAt = performance.now();
  const reservation = await ledger.reserve(reservationRequest(effect, owner));
  switch (reservation.kind) {
    case "reserved":
      count(effect, owner, "reserved");
      return await runReserved(effect, ledger, owner, reservation.isConfirmed, askedAt);
    case "done":
      return storedResult(effect, reservation);
    case "busy":
      throw new HoldfastError("EFFECT_BUSY", `Another worker may still be at effect "${effect.id}"`, {
        retryAfterMs: reservation.ms,
      });
    case "in-doubt":
      count(effect, owner, "in_doubt");
      return await askProbe(effect, ledger, owner);
    case "not-held":
      throw new HoldfastError(
        "LOCK_LOST",
        `Another worker has taken the job over; effect "${effect.id}" was not begun`,
      );
  }
}

function claimant<T>({ id, nonce }: EffectRun<T>, { jobId, lockToken, start }: EffectOwner): EffectClaimant {
  return { effect: id, owner: nonce, jobId, lockToken, start };
}

function reservationRequest<T>(effect: EffectRun<T>, owner: EffectOwner): ReservationRequest {
  const { declaration } = effect;
  return {
    ...claimant(effect, owner),
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
  owner: EffectOwner,
  isConfirmed: boolean,
  askedAt: number,
): Promise<T> {
  const { id, name, key, declaration } = effect;
  const timedOut = () =>
    new HoldfastError("EFFECT_TIMED_OUT", `Effect "${id}" took longer than its ${declaration.timeoutMs} ms`);
  let begun = false;
  let result: T;
  try {
    if (!isConfirmed) throw replicasMissing();
    await faultPoint("reserve:after", owner.jobId);
    owner.assertHeld();
    const leftMs = declaration.timeoutMs - (performance.now() - askedAt);
    if (leftMs <= 0) throw timedOut();
    result = await underDeadline(owner.abort, leftMs, timedOut, (abort) => {
      begun = true;
      return inSpan(
        `effect ${name}`,
        { "holdfast.job.id": owner.jobId, "holdfast.effect": id },
        () => effect.run(new GivenCall(key, abort)),
        owner.scrub,
      );
    });
  } catch (error) {
    throw await afterFailure(effect, ledger, owner, error, begun);
  }
  await faultPoint("commit:before", owner.jobId);
  await sendCommit(effect, ledger, owner, result);
  return result;
}

/** Writes down what a failed run means. @returns what the attempt is to be told */
async function afterFailure<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectOwner,
  error: unknown,
  begun: boolean,
): Promise<unknown> {
  const { id, nonce, declaration, options } = effect;
  const verdict = begun ? (options.classify?.(error) ?? classify(error)) : "not-done";
  const reason = owner.scrub(error instanceof Error ? error.message : String(error));
  if (verdict === "not-done") {
    const release = await ledger.release(id, nonce);
    if (release !== "refused") count(effect, owner, release === "released" ? "released" : "in_doubt");
    owner.log().info({ effect: id, release, reason }, "effect not done");
    return error;
  }
  if ((await ledger.doubt(id, nonce, reason)) === "in-doubt") count(effect, owner, "in_doubt");
  owner.log().warn({ effect: id, reason }, "effect in doubt");
  // Downstream recognises the key: the next attempt may simply run it again.
  if (declaration.inDoubt === "repeat") return error;
  return inDoubt(id, reason, { cause: error, retryable: declaration.inDoubt === "probe" });
}

/**
 * Sends the report that the effect is done, and does not wait for the store to take it.
 *
 * What the attempt does next, its own end included, follows on the same connection, and a report that is not taken
 * costs it its job: it can neither begin another effect nor complete. A crash before the store has the report leaves a
 * doubt.
 */
async function sendCommit<T>(
  effect: EffectRun<T>,
  ledger: Ledger,
  owner: EffectOwner,
  result: T,
): Promise<void> {
  const { id } = effect;
  const json = resultJson(result);
  void ledger.commit(claimant(effect, owner), json ?? "").then(
    (outcome) => {
      if (outcome === "done") {
        count(effect, owner, "done");
        return faultPoint("commit:after", owner.jobId);
      }
      owner.log().warn({ effect: id, outcome }, "effect done, but too late to be recorded");
      return effect.onUnrecorded(inDoubt(id, "its worker reported it done after the deadline"));
    },
    (error: unknown) => {
      // Nobody knows then, except this worker, and it may be gone soon.
      owner
        .log()
        .error({ effect: id, reason: String(error) }, "effect done, but the store did not record it");
      effect.onUnrecorded(inDoubt(id, "the store did not record that it was done", { cause: error }));
    },
  );
  // The ledger sends what it was told within a turn of the event loop at that turn's end.
  await endOfTurn();
  if (json !== undefined) return;
  throw new HoldfastError(
    "RESULT_INVALID",
    `Effect "${id}" is done and recorded, but its result is not JSON of at most ${RESULT_MAX_BYTES} bytes`,
  );
}

async function askProbe<T>(effect: EffectRun<T>, ledger: Ledger, owner: EffectOwner): Promise<T | undefined> {
  const { id, key, declaration, options } = effect;
  const { probe } = options;
  if (declaration.inDoubt !== "probe" || probe === undefined)
    throw inDoubt(id, "an earlier attempt was not heard of again");
  const late = () => new HoldfastError("EFFECT_TIMED_OUT", `The probe of effect "${id}" took too long`);
  const answer = await underDeadline(owner.abort, declaration.timeoutMs, late, (abort) =>
    probe(new GivenCall(key, abort)),
  ).catch((error: unknown) => {
    owner.log().warn({ effect: id, reason: owner.scrub(String(error)) }, "probe failed");
    return "unknown" as const;
  });
  if (answer === "unknown") throw inDoubt(id, "the probe could not tell", { retryable: true });
  const isDone = answer !== "not-done";
  const result = isDone ? resultJson(answer.done) : undefined;
  const resolved = await ledger.resolve(id, {
    as: isDone ? "done" : "not-done",
    result,
    evidence: "the probe's answer",
    by: "probe",
  });
  if (resolved.kind === "resolved") count(effect, owner, "settled");
  owner.log().info({ effect: id, as: isDone ? "done" : "not-done" }, "doubt settled by probe");
  return await actOnce(effect, ledger, owner);
}

function count<T>({ name }: EffectRun<T>, owner: EffectOwner, transition: EffectTransition): void {
  owner.count?.(name, transition);
}

/** A class, since an accessor in an object literal costs each object a hidden class of its own. */
class GivenCall implements EffectCall {
  readonly key: string;
  readonly #abort: Abort;

  constructor(key: string, abort: Abort) {
    this.key = key;
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

function storedResult<T>(
  { key, options }: EffectRun<T>,
  { result }: Extract<Reservation, { kind: "done" }>,
): T | undefined {
  return result === null ? options.assumedResult?.({ key }) : (JSON.parse(result) as T);
}

/** @returns undefined when it cannot be stored */
function resultJson(result: unknown): string | undefined {
  try {
    const json = JSON.stringify(result ?? null);
    return Buffer.byteLength(json) <= RESULT_MAX_BYTES ? json : undefined;
  } catch {
    return undefined;
  }
}

function inDoubt(
  id: string,
  why: string,
  options: { cause?: unknown; retryable?: boolean } = {},
): InDoubtError {
  return new InDoubtError(`Nobody can know whether effect "${id}" happened: ${why}`, options);
}
