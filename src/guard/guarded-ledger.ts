import type { WritableQueueStore } from "../core/bullmq/store/queue-store.ts";
import {
  type Committed,
  type EffectLedger,
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
  type Reservation,
  type ReservationTimes,
  type ReservedEffect,
} from "../core/effect/ledger/ledger.ts";
import { decryptEffectText, type StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import type { Resolution } from "../core/job/resolution.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../platform/lib/batch-by-turn.ts";
import { inEpoch, OTHER_EPOCH } from "../platform/redis/fitness/epoch.ts";
import {
  isUnanswered,
  redisUnavailable,
  throwRedisFault,
  untilAnswered,
} from "../platform/redis/redis-errors.ts";
import { either, json, oneOf } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import { type CallTexts, storedTexts } from "./call-texts.ts";

const script = loadScript(import.meta.url, "reserve.lua", either(oneOf(OTHER_EPOCH), json("[")));

type ReserveArgs = readonly (string | number)[];
type Answer = readonly [
  kind: Reservation["kind"] | "reused",
  detail?: string | number | null,
  deadline?: number,
];
type Reserved = { readonly answer: Answer; readonly unconfirmed: HoldfastError | undefined };

type Reserve = Extract<Reservation, { readonly kind: "reserved" }>;
/** By Redis's clock, in milliseconds: whoever has not reported by the deadline is in doubt. */
export type GuardReservation = Exclude<Reservation, Reserve> | (Reserve & { readonly deadline: number });

/** Batch size; that of jobs. */
const TOGETHER_MAX = 8;

/** The ledgers of one place, for one process. */
export class GuardLedgers {
  readonly store: WritableQueueStore;
  readonly #reserve: (args: ReserveArgs) => Promise<Reserved>;
  readonly #process: string;
  #foundDone = false;
  /** By how long effects are remembered. */
  readonly #ledgers = new Map<number, QueueLedgers>();

  constructor(store: WritableQueueStore, process: string) {
    this.store = store;
    this.#process = process;
    this.#reserve = batchByTurn({
      itemsMax: TOGETHER_MAX,
      run: (requests: readonly ReserveArgs[]) => reserveAll(store, requests),
    });
  }

  /**
   * Reads the result of an effect that is done with this content, if the last call here found one that was: later calls often come together
   * (row `guard-replay`), and a first one would pay for the read (row `guard-once`). What is done stays so, whatever Redis has lost since.
   *
   * @returns JSON, null where none is kept; undefined for an effect that is not done, has other content, or was not read
   */
  async readDone(
    effect: StoredEffect,
    fingerprint: string,
  ): Promise<{ readonly json: string | null } | undefined> {
    if (!this.#foundDone) return undefined;
    const { dedupKey, name } = effect;
    const { client, keys } = this.store;
    const fields = [`e:${name}`, `r:${name}`, "content"] as const;
    const read = client.hmget(keys.ledger(dedupKey), ...fields).catch(() => []);
    const [entry, result, content] = await read;
    if (entry == null || content !== fingerprint || !isDone(entry)) return undefined;
    return { json: result == null ? null : decryptEffectText(this.store, effect, "result", result) };
  }

  /** @throws HoldfastError `IDEMPOTENCY_KEY_REUSED` */
  async reserve(
    effect: StoredEffect,
    reservationId: string,
    call: ReservedCall,
    { deadlineMs, repeatMs }: ReservationTimes,
  ): Promise<GuardReservation> {
    const { dedupKey, name } = effect;
    const { id, rememberMs, fingerprint, process = this.#process, seenForMs = 0 } = call;
    const args = [dedupKey, name, reservationId, id, deadlineMs, repeatMs, rememberMs, fingerprint];
    const texts = storedTexts(this.store, effect, call);
    const { answer, unconfirmed } = await this.#reserve([...args, texts, process, seenForMs]);
    this.#foundDone = answer[0] === "done";
    return this.#reservationOf(effect, answer, unconfirmed);
  }

  #reservationOf(
    effect: StoredEffect,
    [kind, detail, deadline]: Answer,
    unconfirmed?: HoldfastError,
  ): GuardReservation {
    switch (kind) {
      case "reserved":
        return { kind, unconfirmed, fence: Number(detail), deadline: Number(deadline) };
      case "done": {
        const text = detail == null ? null : String(detail);
        return { kind, result: text && decryptEffectText(this.store, effect, "result", text) };
      }
      case "busy":
        return { kind, ms: Number(detail), times: 0 };
      case "in-doubt":
        return { kind, fence: Number(detail) };
      case "reused":
        throw new HoldfastError(
          "IDEMPOTENCY_KEY_REUSED",
          `Effect "${effect.name}": the key was used with other content`,
        );
      default:
        throw new HoldfastError("INTERNAL", "The ledger returned an unknown answer");
    }
  }

  of(rememberMs: number): QueueLedgers {
    const known = this.#ledgers.get(rememberMs);
    if (known !== undefined) return known;
    const opened = openQueueLedgers(this.store, this.#process, rememberMs);
    this.#ledgers.set(rememberMs, opened);
    return opened;
  }

  all(): QueueLedgers[] {
    return [...this.#ledgers.values()];
  }

  /** Whether a run goes on here whose end nobody knows. */
  hasRunsLeft(): boolean {
    return this.all().some(({ unreported, runsLeft }) => unreported.size + runsLeft.size > 0);
  }
}

function isDone(entry: string): boolean {
  // As commit.lua writes it.
  if (entry.startsWith('{"state":"done"')) return true;
  return (JSON.parse(entry) as { readonly state: string }).state === "done";
}

async function reserveAll(
  { keys, epoch, fitness }: WritableQueueStore,
  requests: readonly ReserveArgs[],
): Promise<Reserved[]> {
  const confirming = fitness.confirm();
  if (confirming !== undefined) await confirming;
  const items = JSON.stringify(requests);
  const { result, unconfirmed } = await inEpoch<Answer[]>(epoch, async (id, count) => {
    const used = [keys.epoch, keys.doubts, keys.joinedJobs, keys.workersSeen];
    const args = [keys.ledgerStart, id, count, items];
    const written = await epoch.write(script, used, args).catch(throwRedisFault);
    if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
    const [counted, answers] = JSON.parse(written.reply) as [number, Answer[]];
    return { count: counted, result: answers, unconfirmed: written.unconfirmed };
  });
  if (result.length !== requests.length) throw redisUnavailable();
  return result.map((answer) => ({ answer, unconfirmed }));
}

/** What a reservation says beside its effect. */
export interface ReservedCall extends CallTexts {
  readonly id: string;
  /** Of the content that goes with the key. */
  readonly fingerprint: string;
  readonly rememberMs: number;
  /** Which runs it. @default the ledgers' own */
  readonly process?: string;
  /** Milliseconds for which that process counts as seen without another heartbeat. @default 0 */
  readonly seenForMs?: number;
}

/** The ledger of one key: that of core's effects, without a job. */
export class GuardedLedger implements EffectLedger {
  readonly dedupKey: string;
  readonly installation: string;
  readonly #ledgers: GuardLedgers;
  readonly #ledger: Ledger;
  readonly #call: ReservedCall;
  readonly #lease: { renewed(): void; isLocked(): boolean };

  /** @param lease counts from each reservation on */
  constructor(
    ledgers: GuardLedgers,
    dedupKey: string,
    call: ReservedCall,
    lease: { renewed(): void; isLocked(): boolean },
  ) {
    this.dedupKey = dedupKey;
    this.installation = ledgers.store.prefix;
    this.#ledgers = ledgers;
    this.#ledger = new Ledger(ledgers.of(call.rememberMs), dedupKey, () => undefined);
    this.#call = call;
    this.#lease = lease;
  }

  /** @throws HoldfastError `IDEMPOTENCY_KEY_REUSED` */
  async reserve(run: ReservedEffect, times: ReservationTimes): Promise<Reservation> {
    const { dedupKey } = this;
    const { effect: name, reservationId } = run;
    const { id: jobId, rememberMs } = this.#call;
    this.#lease.renewed();
    const reservation = await this.#ledgers
      .reserve({ dedupKey, name }, reservationId, this.#call, times)
      .catch((error: unknown) => this.#giveUp(run, error));
    if (reservation.kind === "reserved") {
      const { fence } = reservation;
      const begun = { dedupKey, name, reservationId, jobId, delivery: 0, fence };
      this.#ledgers.of(rememberMs).unreported.set(reservationId, begun);
    }
    return reservation;
  }

  /** Redis may have reserved it, and its reply was lost. Nothing begins, so that must not become a doubt. */
  #giveUp({ effect, reservationId }: ReservedEffect, error: unknown): never {
    if (isUnanswered(error))
      untilAnswered(() => this.release(effect, reservationId), {
        isLeased: () => this.#lease.isLocked(),
      }).catch(() => {});
    throw error;
  }

  commit(run: ReservedEffect, result: string): Promise<Committed> {
    return this.#ledger.commit(run, result);
  }

  release: EffectLedger["release"] = (...report) => this.#ledger.release(...report);
  doubt: EffectLedger["doubt"] = (...report) => this.#ledger.doubt(...report);
  reportOver: EffectLedger["reportOver"] = (...report) => this.#ledger.reportOver(...report);
  leftOpen: EffectLedger["leftOpen"] = async () => ({ kind: "none" });

  resolve(effect: string, resolution: Resolution): ReturnType<EffectLedger["resolve"]> {
    return this.#ledger.resolve(effect, resolution);
  }
}
