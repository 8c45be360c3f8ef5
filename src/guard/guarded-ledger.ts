import type { Lease } from "../core/bullmq/claim/lease.ts";
import type { WritableQueueStore } from "../core/bullmq/store/queue-store.ts";
import { insideItself, resultUnkept } from "../core/effect/effect-run.ts";
import {
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
  type ReservationReply,
  type ReservationTimes,
  type ReservedEffect,
  reservationOf,
  reserveTogether,
} from "../core/effect/ledger/ledger.ts";
import type { Reservation } from "../core/effect/ledger/ledger-answers.ts";
import {
  decryptEffectText,
  encryptEffectText,
  type StoredEffect,
} from "../core/effect/ledger/ledger-texts.ts";
import { callId } from "../core/job/job-id.ts";
import { fingerprintOf } from "../core/submit/fingerprint.ts";
import { isInside } from "../evidence/outgoing/scope.ts";
import type { Settings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../platform/lib/batch-by-turn.ts";
import type { SharedSecret } from "../platform/redis/encryption/shared-secret.ts";
import { OTHER_EPOCH } from "../platform/redis/fitness/epoch.ts";
import { either, json, oneOf } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import { PLACES } from "./places.ts";

const reserveScript = loadScript(import.meta.url, "reserve.lua", either(oneOf(OTHER_EPOCH), json("[")));
const readDoneScript = loadScript(import.meta.url, "read-done.lua", json("["));

/** Batch size. 16 measured faster than 8 with 128 in flight (row `guard-once`): calls are spread over places. */
const TOGETHER_MAX = 16;
const READ_TOGETHER_MAX = 32;

/** What a reservation says of its call, beside what a job's says. */
export interface ReservedCall {
  readonly key: string;
  readonly by: string | null;
  readonly about: string | null;
  /** Of the content that goes with the key. */
  readonly fingerprint: string;
  readonly rememberMs: number;
  /** A process of somebody else that runs it, and for how many milliseconds it counts as seen without another heartbeat. */
  readonly elsewhere?: readonly [process: string, seenForMs: number];
  /** Counts from each reservation on. */
  readonly lease?: Pick<Lease, "renewed">;
}

type Secret = Pick<SharedSecret, "known" | "get">;
type Needed = Pick<Settings, "HOLDFAST_RETENTION_MS" | "HOLDFAST_KEEP_BYTES">;

/** The ledgers of one place, for one process: core's, but for the step that reserves. */
export class GuardLedgers {
  readonly queue: QueueLedgers;
  /** Reserves for one call: its arguments are listed in the script's head. */
  readonly reserve: (request: readonly unknown[]) => Promise<ReservationReply>;
  readonly #read: (asked: readonly string[]) => Promise<string | false>;
  readonly #secret: Secret;
  /** Whether the last reservation found its effect done: later calls often come together, and a first one would pay for `readDone`. */
  foundDone = false;

  /** @param process its name @param secret keys the fingerprints of contents */
  constructor(store: WritableQueueStore, process: string, settings: Needed, secret: Secret) {
    this.#secret = secret;
    this.queue = openQueueLedgers(store, process, settings.HOLDFAST_RETENTION_MS, TOGETHER_MAX);
    const { client, keys } = store;
    const used = [keys.joinedJobs, keys.workersSeen];
    const keepBytes = Math.floor((settings.HOLDFAST_KEEP_BYTES ?? 0) / PLACES);
    const args = [keys.ledgerStart, keys.start, keepBytes, callId(store.queue, ""), process];
    this.reserve = batchByTurn({
      itemsMax: TOGETHER_MAX,
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
  fingerprintOf(dedupKey: string, content: string): string | Promise<string> {
    const secret = this.#secret.known();
    if (secret !== undefined) return fingerprintOf(secret, dedupKey, content);
    return this.#secret.get().then((got) => fingerprintOf(got, dedupKey, content));
  }

  /** Reads the result, as JSON, of an effect that is done with this content; undefined otherwise. What is done stays so, whatever Redis has lost. */
  async readDone(effect: StoredEffect, fingerprint: string): Promise<string | undefined> {
    const text = await this.#read([effect.dedupKey, effect.name, fingerprint]).catch(() => false as const);
    return text === false ? undefined : decryptEffectText(this.queue.store, effect, "result", text);
  }
}

/** The ledger of one effect. */
export class GuardedLedger extends Ledger {
  readonly #ledgers: GuardLedgers;
  readonly #call: ReservedCall;
  /** Of its last reservation, by Redis's clock: whoever has not reported by then is in doubt. */
  deadline = 0;

  constructor(ledgers: GuardLedgers, dedupKey: string, call: ReservedCall) {
    super(ledgers.queue, dedupKey, () => undefined);
    this.#ledgers = ledgers;
    this.#call = call;
  }

  /** @throws HoldfastError `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`, `PERMANENT_FAILURE`, `RESULT_INVALID`, too */
  override async reserve(run: ReservedEffect, times: ReservationTimes): Promise<Reservation> {
    const { effect: name, reservationId } = run;
    const { key, by, about, fingerprint, rememberMs, elsewhere = [], lease } = this.#call;
    const { store } = this.#ledgers.queue;
    const whose = JSON.stringify([key, by, about]);
    const texts = encryptEffectText(store, { dedupKey: this.dedupKey, name }, "call", whose);
    const request = [this.dedupKey, name, reservationId, times.deadlineMs, times.repeatMs];
    lease?.renewed();
    const said = [String(rememberMs), fingerprint, texts, ...elsewhere];
    const reserved = await this.#ledgers.reserve([...request, ...said]);
    const [kind, , detail] = reserved.reply as [string, unknown?, unknown?];
    if (kind === "reused")
      throw new HoldfastError(
        "IDEMPOTENCY_KEY_REUSED",
        `Effect "${name}": the key was used with other content`,
      );
    if (kind === "full") throw new HoldfastError("STORE_FULL", FULL, { retryAfterMs: FULL_RETRY_AFTER_MS });
    if (kind === "busy" && isInside(String(detail))) throw insideItself(name);
    if (kind === "unkept") throw resultUnkept(name);
    if (kind === "reserved") this.deadline = Number(detail);
    this.#ledgers.foundDone = kind === "done";
    return this.noted(reservationOf(reserved), run, elsewhere[0]);
  }
}

const FULL = "The keys that are remembered take all of HOLDFAST_KEEP_BYTES";
const FULL_RETRY_AFTER_MS = 60_000;
