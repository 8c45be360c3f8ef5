import { setTimeout as sleep } from "node:timers/promises";
import type { Hint } from "../../../evidence/outgoing/hint.ts";
import type { Outgoing } from "../../../evidence/outgoing/outgoing.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../../../platform/lib/batch-by-turn.ts";
import { inEpoch, OTHER_EPOCH } from "../../../platform/redis/fitness/epoch.ts";
import { redisUnavailable, throwRedisFault, untilAnswered } from "../../../platform/redis/redis-errors.ts";
import { either, integer, json, oneOf, text, tuple } from "../../../platform/redis/reply-shape.ts";
import { loadScript, type Script } from "../../../platform/redis/script.ts";
import type { WritableQueueStore } from "../../bullmq/store/queue-store.ts";
import type { Resolution } from "../../job/resolution.ts";
import type { Committed, Doubted, LeftOpen, Released, Reservation } from "./ledger-answers.ts";
import {
  decryptEffectText,
  effectName,
  encryptEffectText,
  findStoredName,
  keyIdOfName,
  type StoredEffect,
} from "./ledger-texts.ts";
import { type Resolved, resolveDoubt } from "./resolve-doubt.ts";

/** One run of an effect, and the attempt that it belongs to. */
export interface ReservedEffect {
  readonly effect: string;
  /** Unique to this run. */
  readonly reservationId: string;
  readonly jobId: string;
  readonly lockToken: string;
  /** BullMQ's delivery count; unique per attempt. */
  readonly delivery: number;
}

export interface ReservationTimes {
  /** Milliseconds until the attempt has certainly given up. */
  readonly deadlineMs: number;
  /** Milliseconds from the first run for which the effect may be run again; 0: never. */
  readonly repeatMs: number;
}

/** Why nobody can know whether an effect happened, and what its process saw it send. */
interface DoubtReport {
  readonly reason: string;
  readonly evidence: readonly Outgoing[];
  /** What its declaration lacked. */
  readonly hint?: Hint | undefined;
}

/** What the ledger of another queue knows of an effect, as it is stored. */
export interface FormerEntry {
  /** The effect's name in that ledger. */
  readonly name: string;
  /** JSON. */
  readonly entry: string;
  /** "" for none. */
  readonly result: string;
}

interface UnreportedEffect extends StoredEffect {
  readonly reservationId: string;
  readonly jobId: string;
  readonly delivery: number;
  readonly fence: number;
  /** That runs it. */
  readonly worker: string;
}

/** The arguments of one effect, as the scripts' heads list them. */
type StepArgs = readonly (string | number)[];

/** The ledgers of one queue, for a worker. */
export interface QueueLedgers {
  readonly store: WritableQueueStore;
  readonly worker: string;
  /** How long a ledger is kept that no job uses and in which nothing is open, in milliseconds. */
  readonly retentionMs: number;
  /** What each attempt pays for: many travel in one command, each is atomic. */
  reserve(args: StepArgs): Promise<Reservation>;
  commit(args: StepArgs): Promise<Committed>;
  /** Reservations of this process for whose effects Redis has no outcome yet, by id. */
  readonly unreported: Map<string, UnreportedEffect>;
  /** Runs of effects in doubt that are not over, though their attempts may have ended. */
  readonly runsLeft: Set<Promise<unknown>>;
}

/** A run of an effect that is over, after it has left a doubt. */
export interface RunOver {
  /** What its function has returned, as JSON, "" where that cannot be kept; undefined where it is not known to have succeeded. */
  readonly result: string | undefined;
}

/** Batch size. 4 and 8 measured fastest at concurrency 50. */
const TOGETHER_MAX = 8;

/** @param itemsMax how many reports travel together */
export function openQueueLedgers(
  store: WritableQueueStore,
  worker: string,
  retentionMs: number,
  itemsMax = TOGETHER_MAX,
): QueueLedgers {
  return {
    store,
    worker,
    retentionMs,
    reserve: batchByTurn({
      itemsMax: TOGETHER_MAX,
      run: (requests: readonly StepArgs[]) => reserveAll(store, requests),
    }),
    commit: batchByTurn({
      itemsMax,
      run: (reports: readonly StepArgs[]) => commitAll(store, retentionMs, reports),
    }),
    unreported: new Map(),
    runsLeft: new Set(),
  };
}

/**
 * Redis has lost data, and nobody else knows that these effects may have happened: puts each in doubt, unless its ledger knows more.
 *
 * @param ids of the reservations @default all
 */
export async function doubtUnreported(
  { store, unreported }: QueueLedgers,
  ids: Iterable<string> = unreported.keys(),
): Promise<void> {
  const { client, keys } = store;
  const reason = "Redis lost its reservation while its worker was in the middle";
  const effects = [...ids].flatMap((id) => unreported.get(id) ?? []);
  await Promise.all(
    effects.map(({ dedupKey, name, reservationId, jobId, delivery, fence, worker }) => {
      const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs];
      const known = [name, reservationId, reason, dedupKey, jobId, delivery, worker, keys.start];
      return doubtForgottenScript.run(client, used, [...known, fence]);
    }),
  );
}

/** Two jobs that give way to each other wait for a random time, longer in each round, so that one of them is first. */
const GIVE_WAY_MS = 50;
const ROUNDS_MAX = 8;

/** What an attempt asks of its ledger. */
export type EffectLedger = Pick<Ledger, keyof Ledger>;

const reserveScript = loadScript(import.meta.url, "reserve.lua", either(oneOf(OTHER_EPOCH), json("[")));
const commitScript = loadScript(import.meta.url, "commit.lua", json("["));
const releaseScript = loadScript(import.meta.url, "release.lua", oneOf("released", "in-doubt", "refused"));
const doubtScript = loadScript(import.meta.url, "doubt.lua", oneOf("in-doubt", "refused"));
const doubtForgottenScript = loadScript(import.meta.url, "doubt-forgotten.lua", oneOf("in-doubt", "known"));
const runOverScript = loadScript(import.meta.url, "run-over.lua", integer);
const leftOpenScript = loadScript(
  import.meta.url,
  "left-open.lua",
  either(
    either(tuple(oneOf("none")), tuple(oneOf("in-doubt"), text)),
    tuple(oneOf("busy"), text, integer, integer),
  ),
);

/** Looks for an effect in other queues; undefined at once where there are none. */
type FindFormer = (effect: string) => Promise<FormerEntry | undefined> | undefined;

/** The effects of one deduplication key, for an attempt. Each transition is one atomic compare-and-set in Redis. */
export class Ledger {
  readonly dedupKey: string;
  /** `HOLDFAST_PREFIX` */
  readonly installation: string;
  readonly #queue: QueueLedgers;
  readonly #findFormer: FindFormer;
  /** Stored names of effects with an index, or from another queue. */
  readonly #names = new Map<string, string>();

  /** @param findFormer looks in the queues in which the same key may have a ledger, because its type has moved */
  constructor(queue: QueueLedgers, dedupKey: string, findFormer: FindFormer) {
    this.#queue = queue;
    this.dedupKey = dedupKey;
    this.installation = queue.store.prefix;
    this.#findFormer = findFormer;
  }

  /**
   * Reserves an effect, unless another queue's ledger knows it. No step reaches two queues, so it looks there again once it has the
   * reservation: of two jobs that reserve at the same moment, at least one finds the other, and gives way.
   */
  async reserve(run: ReservedEffect, times: ReservationTimes): Promise<Reservation> {
    const { effect, reservationId } = run;
    for (let round = 1; ; round += 1) {
      const before = this.#findFormer(effect);
      const former = before && (await before.catch(throwRedisFault));
      const reservation = await this.#reserveHere(run, times, former);
      const isNew = reservation.kind === "reserved" && former === undefined;
      const since = isNew ? this.#findFormer(effect) : undefined;
      if (since === undefined || (await since.catch(throwRedisFault)) === undefined) return reservation;
      await this.release(effect, reservationId);
      const pauseMs = Math.ceil(Math.random() * GIVE_WAY_MS * round);
      if (round === ROUNDS_MAX) return { kind: "busy", ms: pauseMs, times: round };
      await sleep(pauseMs);
    }
  }

  async #reserveHere(
    run: ReservedEffect,
    { deadlineMs, repeatMs }: ReservationTimes,
    former: FormerEntry | undefined,
  ): Promise<Reservation> {
    const { effect, reservationId, jobId, lockToken, delivery } = run;
    const { dedupKey } = this;
    const { store, worker } = this.#queue;
    if (effect.includes("/")) this.#names.set(effect, await findStoredName(store, dedupKey, effect));
    const inherited = former === undefined ? [] : await this.#inherit(effect, former);
    const name = this.#nameOf(effect);
    const args = [dedupKey, name, reservationId, lockToken, String(delivery), deadlineMs, repeatMs];
    const keyIds = effect.includes("/")
      ? [` ${store.codec.keyIds.join(" ")} `, keyIdOfName(name, effect)]
      : ["-", ""];
    return this.noted(await this.#queue.reserve([...args, jobId, worker, ...keyIds, ...inherited]), run);
  }

  /** What an attempt gets of the ledger's answer. From a reservation on, this process knows that it is not reported. */
  protected noted(
    reservation: Reservation,
    { effect, reservationId, jobId, delivery }: ReservedEffect,
    worker = this.#queue.worker,
  ): Reservation {
    const { dedupKey } = this;
    const { store, unreported } = this.#queue;
    const name = this.#nameOf(effect);
    if (reservation.kind === "reserved") {
      const { fence } = reservation;
      unreported.set(reservationId, { dedupKey, name, reservationId, jobId, delivery, fence, worker });
    }
    if (reservation.kind !== "done" || reservation.result === null) return reservation;
    const result = decryptEffectText(store, { dedupKey, name }, "result", reservation.result);
    return { kind: "done", result };
  }

  /**
   * Sends the report before it returns. A refused one costs the attempt its job.
   *
   * @param result JSON, "" for none
   * @param evidence what the run was seen to send
   */
  commit(
    { effect, reservationId, jobId, lockToken, delivery }: ReservedEffect,
    result: string,
    evidence: readonly Outgoing[] = [],
  ): Promise<Committed> {
    const encrypted = this.#encrypt(effect, "result", result);
    const args = [
      this.dedupKey,
      this.#nameOf(effect),
      reservationId,
      encrypted,
      jobId,
      lockToken,
      String(delivery),
      evidence.length === 0 ? "" : this.#encrypt(effect, "seen", JSON.stringify(evidence)),
    ];
    return this.#finished(reservationId, this.#queue.commit(args));
  }

  async release(effect: string, reservationId: string): Promise<Released> {
    const args = [this.#nameOf(effect), reservationId, this.#queue.retentionMs, this.dedupKey];
    const outcome = await this.#run(releaseScript, args);
    this.#queue.unreported.delete(reservationId);
    return outcome;
  }

  doubt(effect: string, reservationId: string, { reason, evidence, hint }: DoubtReport): Promise<Doubted> {
    const args = [
      this.#nameOf(effect),
      reservationId,
      this.#encrypt(effect, "reason", reason),
      this.dedupKey,
      this.#encrypt(effect, "seen", JSON.stringify(evidence)),
      hint === undefined ? "" : JSON.stringify(hint),
    ];
    return this.#finished(reservationId, this.#run(doubtScript, args));
  }

  /** Reports that a run is over which has left a doubt, also long after its attempt. @param over never rejects */
  async reportOver(effect: string, reservationId: string, over: Promise<RunOver>): Promise<void> {
    const { runsLeft } = this.#queue;
    runsLeft.add(over);
    const { result } = await over;
    runsLeft.delete(over);
    const { client } = this.#queue.store;
    const said = result === undefined ? ["", ""] : ["done", this.#encrypt(effect, "result", result)];
    // A doubt looks as if its run were under way until this is stored. The attempt may have ended, so no lease bounds it.
    await untilAnswered(() => this.#run(runOverScript, [this.#nameOf(effect), reservationId, ...said]), {
      isLeased: () => client.status !== "end",
    });
  }

  resolve(effect: string, resolution: Resolution): Promise<Resolved> {
    const { store, retentionMs } = this.#queue;
    return resolveDoubt(store, retentionMs, { dedupKey: this.dedupKey, effect }, resolution);
  }

  /** Puts in doubt what earlier attempts of the job left reserved past its deadline. */
  async leftOpen(jobId: string, delivery: number): Promise<LeftOpen> {
    const { dedupKey } = this;
    const { store } = this.#queue;
    const reply = await this.#run(leftOpenScript, [dedupKey, jobId, delivery, store.keys.start]);
    if (reply[0] === "none") return { kind: "none" };
    const effect = effectName(store, { dedupKey, name: reply[1] });
    return reply[0] === "busy"
      ? { kind: "busy", effect, ms: reply[2], times: reply[3] }
      : { kind: "in-doubt", effect };
  }

  #nameOf(effect: string): string {
    return this.#names.get(effect) ?? effect;
  }

  #encrypt(effect: string, part: "result" | "reason" | "seen", text: string): string {
    const { dedupKey } = this;
    return encryptEffectText(this.#queue.store, { dedupKey, name: this.#nameOf(effect) }, part, text);
  }

  async #run<Reply>(script: Script<Reply>, args: readonly (string | number)[]): Promise<Reply> {
    const { client, keys } = this.#queue.store;
    return await script.run(client, [keys.ledger(this.dedupKey), keys.doubts], args).catch(throwRedisFault);
  }

  /** A report is refused also where Redis has lost the reservation: then the effect is in doubt before this process forgets it. */
  async #finished<T extends string>(reservationId: string, report: Promise<T>): Promise<T> {
    const { store, unreported } = this.#queue;
    const outcome = await report;
    // The check that first found the loss has doubted what was known then, and this reservation's reply may have come later.
    if (outcome === "refused") await store.epoch.check().catch(() => this.#untilDoubted(reservationId));
    unreported.delete(reservationId);
    return outcome;
  }

  async #untilDoubted(reservationId: string): Promise<void> {
    const { client } = this.#queue.store;
    await untilAnswered(() => doubtUnreported(this.#queue, [reservationId]), {
      isLeased: () => client.status !== "end",
    });
  }

  /** Another queue's entry keeps its name there: its texts are encrypted for that name. */
  async #inherit(effect: string, former: FormerEntry): Promise<string[]> {
    const { client, keys } = this.#queue.store;
    const name = this.#nameOf(effect);
    const isKnown =
      former.name !== name &&
      (await client.hexists(keys.ledger(this.dedupKey), `e:${name}`).catch(throwRedisFault)) > 0;
    if (isKnown) return [];
    this.#names.set(effect, former.name);
    return [former.entry, former.result];
  }
}

// One text each way: profiles showed what each argument, and each element of a reply, costs the client.

async function reserveAll(store: WritableQueueStore, requests: readonly StepArgs[]): Promise<Reservation[]> {
  const { keys } = store;
  const used = [keys.joinedJobs, keys.newLedgers];
  const args = [keys.ledgerStart, keys.start];
  const replies = await reserveTogether(store, reserveScript, used, args, requests);
  return replies.map(reservationOf);
}

/** What a script replies to one of the requests that it was given. */
export interface ReservationReply {
  readonly reply: unknown;
  /** Why Redis may lose it. */
  readonly unconfirmed: HoldfastError | undefined;
}

/** Runs a script that reserves, for many at once. It gets the epoch and the doubts, then these keys; these arguments, then the epoch and the requests. */
export async function reserveTogether(
  { keys, epoch, fitness }: WritableQueueStore,
  script: Script<string>,
  ownKeys: readonly string[],
  ownArgs: readonly (string | number)[],
  requests: readonly unknown[],
): Promise<ReservationReply[]> {
  const confirming = fitness.confirm();
  if (confirming !== undefined) await confirming;
  const items = JSON.stringify(requests);
  const { result, unconfirmed } = await inEpoch<unknown[]>(epoch, async (id, count) => {
    const used = [keys.epoch, keys.doubts, ...ownKeys];
    const written = await epoch.write(script, used, [...ownArgs, id, count, items]).catch(throwRedisFault);
    if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
    const [counted, replies] = JSON.parse(written.reply) as [number, unknown[]];
    return { count: counted, result: replies, unconfirmed: written.unconfirmed };
  });
  return eachOf(requests, result).map((reply) => ({ reply, unconfirmed }));
}

async function commitAll(
  { client, keys }: WritableQueueStore,
  retentionMs: number,
  reports: readonly StepArgs[],
): Promise<Committed[]> {
  const args = [keys.ledgerStart, keys.start, retentionMs, JSON.stringify(reports)];
  const reply = await commitScript.run(client, [keys.doubts], args).catch(throwRedisFault);
  return eachOf(reports, JSON.parse(reply) as Committed[]);
}

/** Another number of replies is the reply to something else. */
function eachOf<Reply>(requests: readonly unknown[], replies: readonly Reply[]): Reply[] {
  if (replies.length !== requests.length) throw redisUnavailable();
  return [...replies];
}

/** What a script's reply to one request means. */
export function reservationOf({ reply, unconfirmed }: ReservationReply): Reservation {
  const [kind, detail, times] = reply as [Reservation["kind"], (string | number | null)?, number?];
  switch (kind) {
    case "done":
      return { kind, result: detail == null ? null : String(detail) };
    case "busy":
      return { kind, ms: Number(detail), times: Number(times) };
    case "reserved":
      return { kind, unconfirmed, fence: Number(detail) };
    case "in-doubt":
      return { kind, fence: Number(detail) };
    case "unreadable":
      return { kind, key: String(detail) };
    case "not-leased":
    case "cancelled":
    case "forgotten":
      return { kind };
    default:
      throw new HoldfastError("INTERNAL", "The ledger returned an unknown answer");
  }
}
