import type { Lease } from "../core/bullmq/claim/lease.ts";
import type { WritableQueueStore } from "../core/bullmq/store/queue-store.ts";
import { insideItself, resultUnkept } from "../core/effect/effect-run.ts";
import {
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
  type ReservationReply,
  reservationOf,
  reserveTogether,
} from "../core/effect/ledger/ledger.ts";
import { decryptEffectText, type StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import { fingerprintOf } from "../core/submit/fingerprint.ts";
import { isInside } from "../evidence/outgoing/scope.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../platform/lib/batch-by-turn.ts";
import type { SharedSecret } from "../platform/redis/encryption/shared-secret.ts";
import { OTHER_EPOCH } from "../platform/redis/fitness/epoch.ts";
import { either, json, oneOf } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import { type CallTexts, storedTexts } from "./call.ts";
import { PLACES } from "./places.ts";

const reserveScript = loadScript(import.meta.url, "reserve.lua", either(oneOf(OTHER_EPOCH), json("[")));
const readDoneScript = loadScript(import.meta.url, "read-done.lua", json("["));

/** Batch sizes. That of jobs, and that of their status. */
const RESERVED_TOGETHER_MAX = 8;
const READ_TOGETHER_MAX = 32;

/** What a reservation says of its call, beside what a job's says. */
export interface ReservedCall extends CallTexts {
  /** Of the content that goes with the key. */
  readonly fingerprint: string;
  readonly rememberMs: number;
  /** Which runs it. @default the ledgers' own */
  readonly process?: string;
  /** Milliseconds for which that process counts as seen without another heartbeat. @default 0 */
  readonly seenForMs?: number;
  /** Counts from each reservation on. */
  readonly lease?: Pick<Lease, "renewed">;
  /** Gets the deadline, by Redis's clock, in milliseconds: whoever has not reported by then is in doubt. */
  readonly onReserved?: (deadline: number) => void;
}

interface GuardSettings {
  readonly HOLDFAST_RETENTION_MS: number;
  readonly HOLDFAST_KEEP_BYTES?: number | undefined;
}

/** The ledgers of one place, for one process: core's, but for the step that reserves. */
export class GuardLedgers {
  readonly queue: QueueLedgers;
  readonly #reserve: (args: readonly unknown[]) => Promise<ReservationReply>;
  readonly #read: (asked: readonly string[]) => Promise<string | false>;
  readonly #secret: Pick<SharedSecret, "known" | "get">;
  #foundDone = false;

  /** @param process its name @param secret keys the fingerprints of contents */
  constructor(
    store: WritableQueueStore,
    process: string,
    settings: GuardSettings,
    secret: Pick<SharedSecret, "known" | "get">,
  ) {
    this.#secret = secret;
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

  /** Of the content that goes with a key. */
  async fingerprintOf(dedupKey: string, content: string): Promise<string> {
    return fingerprintOf(this.#secret.known() ?? (await this.#secret.get()), dedupKey, content);
  }

  /**
   * Reads the result of an effect that is done with this content, if the last call here found one that was: later calls often come together
   * (row `guard-replay`), and a first one would pay for the read (row `guard-once`). What is done stays so, whatever Redis has lost since.
   *
   * @returns JSON; undefined for an effect that is not done, has no result or other content, or was not read
   */
  async readDone(effect: StoredEffect, fingerprint: string): Promise<string | undefined> {
    if (!this.#foundDone) return undefined;
    const text = await this.#read([effect.dedupKey, effect.name, fingerprint]).catch(() => false as const);
    return text === false ? undefined : decryptEffectText(this.queue.store, effect, "result", text);
  }

  /** The ledger of one effect. Its `reserve` throws `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`, `PERMANENT_FAILURE`, `RESULT_INVALID`, too. */
  ledgerOf(effect: StoredEffect, call: ReservedCall): Ledger {
    const { rememberMs, fingerprint, process = this.queue.worker, seenForMs = 0 } = call;
    const said = [String(rememberMs), fingerprint, storedTexts(this.queue.store, effect, call), seenForMs];
    const reserve: QueueLedgers["reserve"] = async (args) => {
      call.lease?.renewed();
      const { reply, unconfirmed } = await this.#reserve([...args, ...said]);
      const [kind, , detail] = reply as [string, unknown?, unknown?];
      if (kind === "reused")
        throw new HoldfastError(
          "IDEMPOTENCY_KEY_REUSED",
          `Effect "${effect.name}": the key was used with other content`,
        );
      if (kind === "full") throw new HoldfastError("STORE_FULL", FULL, { retryAfterMs: FULL_RETRY_AFTER_MS });
      if (kind === "busy" && isInside(String(detail))) throw insideItself(effect.name);
      if (kind === "reserved") call.onReserved?.(Number(detail));
      if (kind === "unkept") throw resultUnkept(effect.name);
      this.#foundDone = kind === "done";
      return reservationOf(reply, unconfirmed);
    };
    return new Ledger({ ...this.queue, worker: process, reserve }, effect.dedupKey, () => undefined);
  }
}

const FULL = "The keys that are remembered take all of HOLDFAST_KEEP_BYTES";
const FULL_RETRY_AFTER_MS = 60_000;
