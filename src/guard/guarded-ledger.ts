import type { Lease } from "../core/bullmq/claim/lease.ts";
import type { WritableQueueStore } from "../core/bullmq/store/queue-store.ts";
import {
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
  type Reservation,
  type ReservationReply,
  type ReservationTimes,
  type ReservedEffect,
  reservationOf,
  reserveTogether,
} from "../core/effect/ledger/ledger.ts";
import { decryptEffectText, type StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../platform/lib/batch-by-turn.ts";
import { OTHER_EPOCH } from "../platform/redis/fitness/epoch.ts";
import { either, json, oneOf } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import { type CallTexts, storedTexts } from "./call-texts.ts";
import { PLACES } from "./places.ts";

const reserveScript = loadScript(import.meta.url, "reserve.lua", either(oneOf(OTHER_EPOCH), json("[")));
const readDoneScript = loadScript(import.meta.url, "read-done.lua", json("["));

/** Batch sizes. That of jobs, and that of their status. */
const RESERVED_TOGETHER_MAX = 8;
const READ_TOGETHER_MAX = 32;

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

interface GuardSettings {
  readonly HOLDFAST_RETENTION_MS: number;
  readonly HOLDFAST_KEEP_BYTES?: number | undefined;
}

type Reserve = Extract<Reservation, { readonly kind: "reserved" }>;
/** By Redis's clock, in milliseconds: whoever has not reported by the deadline is in doubt. */
export type GuardReservation = Exclude<Reservation, Reserve> | (Reserve & { readonly deadline: number });

/** What is known of an effect that is done: its result as JSON, null where none is kept. */
type Done = { readonly json: string | null };

/** The ledgers of one place, for one process. */
export class GuardLedgers {
  readonly store: WritableQueueStore;
  readonly queue: QueueLedgers;
  readonly #reserve: (args: readonly unknown[]) => Promise<ReservationReply>;
  readonly #read: (asked: readonly string[]) => Promise<string | null | false>;
  #foundDone = false;

  /** @param process its name */
  constructor(store: WritableQueueStore, process: string, settings: GuardSettings) {
    this.store = store;
    this.queue = openQueueLedgers(store, process, settings.HOLDFAST_RETENTION_MS);
    const { client, keys } = store;
    const used = [keys.joinedJobs, keys.workersSeen];
    const args = [keys.ledgerStart, keys.start, Math.floor((settings.HOLDFAST_KEEP_BYTES ?? 0) / PLACES)];
    this.#reserve = batchByTurn({
      itemsMax: RESERVED_TOGETHER_MAX,
      run: (requests) => reserveTogether(store, reserveScript, used, args, requests),
    });
    this.#read = batchByTurn({
      itemsMax: READ_TOGETHER_MAX,
      run: async (asked) =>
        JSON.parse(
          await readDoneScript.run(client, [keys.joinedJobs], [keys.ledgerStart, JSON.stringify(asked)]),
        ),
    });
  }

  /**
   * Reads the result of an effect that is done with this content, if the last call here found one that was: later calls often come together
   * (row `guard-replay`), and a first one would pay for the read (row `guard-once`). What is done stays so, whatever Redis has lost since.
   *
   * @returns undefined for an effect that is not done, has other content, or was not read
   */
  async readDone(effect: StoredEffect, fingerprint: string): Promise<Done | undefined> {
    if (!this.#foundDone) return undefined;
    const text = await this.#read([effect.dedupKey, effect.name, fingerprint]).catch(() => false as const);
    return text === false ? undefined : this.#doneWith(effect, text);
  }

  #doneWith(effect: StoredEffect, text: string | null): Done {
    return { json: text && decryptEffectText(this.store, effect, "result", text) };
  }

  /** @throws HoldfastError `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL` */
  async reserve(
    effect: StoredEffect,
    reservationId: string,
    call: ReservedCall,
    { deadlineMs, repeatMs }: ReservationTimes,
  ): Promise<GuardReservation> {
    const { dedupKey, name } = effect;
    const { id, rememberMs, fingerprint, process = this.queue.worker, seenForMs = 0 } = call;
    const args = [dedupKey, name, reservationId, id, deadlineMs, repeatMs, rememberMs, fingerprint];
    const texts = storedTexts(this.store, effect, call);
    const { reply, unconfirmed } = await this.#reserve([...args, texts, process, seenForMs]);
    const [kind, , deadline] = reply as [string, unknown?, number?];
    if (kind === "reused")
      throw new HoldfastError(
        "IDEMPOTENCY_KEY_REUSED",
        `Effect "${name}": the key was used with other content`,
      );
    if (kind === "full") throw new HoldfastError("STORE_FULL", FULL, { retryAfterMs: FULL_RETRY_AFTER_MS });
    const reservation = reservationOf(reply, unconfirmed);
    this.#foundDone = reservation.kind === "done";
    if (reservation.kind === "reserved") return { ...reservation, deadline: Number(deadline) };
    if (reservation.kind !== "done") return reservation;
    return { kind: "done", result: this.#doneWith(effect, reservation.result).json };
  }

  /** Whether a run goes on here whose end nobody knows. */
  hasRunsLeft(): boolean {
    return this.queue.unreported.size + this.queue.runsLeft.size > 0;
  }
}

const FULL = "The keys that are remembered take all of HOLDFAST_KEEP_BYTES";
const FULL_RETRY_AFTER_MS = 60_000;

/** The ledger of one key: that of core's effects, without a job. */
export class GuardedLedger extends Ledger {
  readonly #ledgers: GuardLedgers;
  readonly #call: ReservedCall;
  readonly #lease: Pick<Lease, "renewed">;

  /** @param lease counts from each reservation on */
  constructor(ledgers: GuardLedgers, dedupKey: string, call: ReservedCall, lease: Pick<Lease, "renewed">) {
    super(ledgers.queue, dedupKey, () => undefined);
    this.#ledgers = ledgers;
    this.#call = call;
    this.#lease = lease;
  }

  /** @throws HoldfastError `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL` */
  override async reserve(run: ReservedEffect, times: ReservationTimes): Promise<Reservation> {
    const { dedupKey } = this;
    const { effect: name, reservationId, jobId } = run;
    this.#lease.renewed();
    const reservation = await this.#ledgers.reserve({ dedupKey, name }, reservationId, this.#call, times);
    if (reservation.kind !== "reserved") return reservation;
    const { fence } = reservation;
    this.#ledgers.queue.unreported.set(reservationId, {
      dedupKey,
      name,
      reservationId,
      jobId,
      delivery: 0,
      fence,
    });
    return reservation;
  }
}
