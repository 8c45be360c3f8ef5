import type { z } from "zod";
import type { ConnectedQueues } from "../../core/bullmq/store/connect-queues.ts";
import {
  type FingerprintSecrets,
  openFingerprintSecrets,
} from "../../core/bullmq/store/fingerprint-secrets.ts";
import { ABORT_MARGIN_MS } from "../../core/effect/act-once.ts";
import { inDoubt, resultJson } from "../../core/effect/effect-run.ts";
import {
  doubtUnreported,
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
  type Reservation,
} from "../../core/effect/ledger/ledger.ts";
import { dedupKeyOf, effectKeyOf } from "../../core/job/dedup-key.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import { callId, jobNotFound, parseCallId } from "../../core/job/job-id.ts";
import { fingerprintOf } from "../../core/submit/fingerprint.ts";
import { GuardLedgers } from "../../guard/guarded-ledger.ts";
import { guardPlaces, placeOf, startGuardSweep, sweepPlace } from "../../guard/places.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../../platform/lib/canonical-json.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type { committedSchema, doubtBodySchema, reservedSchema, reserveSchema } from "./run-schemas.ts";

export type ReserveRequest = Readonly<z.output<typeof reserveSchema>>;
export type ReservedRun = Readonly<z.output<typeof reservedSchema>>;
type Committed = Readonly<z.output<typeof committedSchema>>;

/** A run that was reserved. */
export interface ReservedBy {
  readonly effect: string;
  readonly reservationId: string;
  readonly fence: number;
}

/** Effects whose code is in programs that are not ours. Their ledger is that of guards. */
export interface RunsElsewhere {
  /**
   * @param by the caller
   * @throws HoldfastError `IDEMPOTENCY_KEY_INVALID`, `IDEMPOTENCY_KEY_REUSED`, `EFFECT_IN_DOUBT`; `EFFECT_BUSY` while another run may be
   *   under way
   */
  reserve(request: ReserveRequest, by: string): Promise<ReservedRun>;
  /** @throws HoldfastError `JOB_NOT_FOUND`, `RESERVATION_LOST`; `EFFECT_IN_DOUBT` if it is late */
  commit(id: string, run: ReservedBy & { readonly result?: unknown }): Promise<Committed>;
  /** Nothing happened: the key is free. @throws HoldfastError as `commit` */
  release(id: string, run: ReservedBy): Promise<void>;
  /** Nobody can know whether it happened. @throws HoldfastError `JOB_NOT_FOUND`, `RESERVATION_LOST` */
  doubt(id: string, run: ReservedBy & z.output<typeof doubtBodySchema>): Promise<void>;
}

const SWEEP_EVERY_MS = 5_000;
/** By then a sweep has put in doubt what nobody has reported. */
const REMEMBERED_AFTER_MS = 60_000;
/** Clocks differ by less. */
const CLOCKS_DIFFER_MS = 5_000;

type Connected = Pick<ConnectedQueues, "stores" | "epochs" | "client" | "codec">;
type Needed = Pick<Settings, "HOLDFAST_PREFIX" | "HOLDFAST_RETENTION_MS">;

export function openRunsElsewhere(
  queues: Connected,
  settings: Needed,
  log?: Logger,
): RunsElsewhere & Running {
  return new Runs(queues, settings, log);
}

class Runs implements RunsElsewhere, Running {
  readonly #queues: Connected;
  readonly #prefix: string;
  readonly #rememberMs: number;
  readonly #log: Logger | undefined;
  readonly #places = new Map<string, GuardLedgers>();
  /** Most processes run none of these effects. */
  #opened: { readonly secrets: FingerprintSecrets; readonly sweep: Running } | undefined;
  readonly stop = stopOnce(async () => await this.#opened?.sweep.stop());

  constructor(queues: Connected, settings: Needed, log: Logger | undefined) {
    this.#queues = queues;
    this.#prefix = settings.HOLDFAST_PREFIX;
    this.#rememberMs = settings.HOLDFAST_RETENTION_MS;
    this.#log = log;
  }

  async reserve(request: ReserveRequest, by: string): Promise<ReservedRun> {
    const { effect: name, downstreamRemembersMs: repeatMs = 0, reservationId } = request;
    const named = nameCall(request);
    const { dedupKey, id, place } = named;
    const ledgers = this.#of(place);
    const process = request.process ?? by;
    const deadlineMs = request.timeoutMs + ABORT_MARGIN_MS;
    const reserve = async () => {
      const fingerprint = fingerprintOf(await this.#open().secrets.of(place).get(), dedupKey, named.content);
      const rememberMs = request.rememberMs ?? this.#rememberMs;
      const texts = {
        key: request.key,
        by: request.by === undefined ? by : `${by}: ${request.by}`,
        about: request.about ?? null,
      };
      const call = { ...texts, id, fingerprint, rememberMs, process, seenForMs: deadlineMs };
      const times = { deadlineMs, repeatMs };
      const reservation = await ledgers.reserve({ dedupKey, name }, reservationId, call, times);
      if (reservation.kind !== "reserved") return reservation;
      const { unreported } = ledgers.of(this.#rememberMs);
      const run = { dedupKey, name, reservationId, jobId: id, delivery: 0, fence: reservation.fence };
      unreported.set(reservationId, { ...run, worker: process });
      setTimeout(() => unreported.delete(reservationId), deadlineMs + REMEMBERED_AFTER_MS).unref();
      if (reservation.unconfirmed === undefined) return reservation;
      await new Ledger(ledgers.of(this.#rememberMs), dedupKey, () => undefined).release(name, reservationId);
      throw reservation.unconfirmed;
    };
    const call = { id, effectKey: effectKeyOf(dedupKey, name), installation: this.#prefix };
    return answerOf(await inTime(reserve()), name, call);
  }

  async commit(id: string, run: ReservedBy & { readonly result?: unknown }): Promise<Committed> {
    const json = resultJson(run.result);
    await this.#report(id, run, (ledger) =>
      ledger.commit({ ...run, jobId: id, lockToken: "", delivery: 0 }, json ?? ""),
    );
    return { state: "done", isResultKept: json !== undefined };
  }

  async release(id: string, run: ReservedBy): Promise<void> {
    await this.#report(id, run, (ledger) => ledger.release(run.effect, run.reservationId));
  }

  async doubt(id: string, run: ReservedBy & z.output<typeof doubtBodySchema>): Promise<void> {
    const { effect, reservationId, reason, isOver } = run;
    await this.#report(id, run, async (ledger) => {
      const outcome = await ledger.doubt(effect, reservationId, { reason, evidence: [] });
      if (isOver && outcome === "in-doubt") await ledger.reportOver(effect, reservationId, Promise.resolve());
      return outcome === "in-doubt" ? "doubted" : outcome;
    });
  }

  async #report(
    id: string,
    run: ReservedBy,
    send: (ledger: Ledger) => Promise<"done" | "released" | "doubted" | "in-doubt" | "refused">,
  ): Promise<void> {
    const report = async () => {
      const ledger = await this.#find(id, run);
      return ledger === undefined ? "refused" : await send(ledger);
    };
    const outcome = await inTime(report());
    const { effect } = run;
    if (outcome === "in-doubt")
      throw new HoldfastError(
        "EFFECT_IN_DOUBT",
        `The report on effect "${effect}" came too late, and is kept with the doubt; ${advice(id, effect)}`,
      );
    if (outcome === "refused")
      throw new HoldfastError(
        "RESERVATION_LOST",
        `Effect "${effect}" is not, or no longer, reserved by this run`,
      );
  }

  /** Finds a run that was reserved, in whatever process. A late one is in doubt by then. */
  async #find(id: string, { effect, reservationId, fence }: ReservedBy): Promise<Ledger | undefined> {
    const { place, dedupKey } = parseCallId(id) ?? { place: "", dedupKey: "" };
    if (place === "" || placeOf(dedupKey) !== place) throw jobNotFound();
    const ledgers = this.#of(place).of(this.#rememberMs);
    const { client, keys, epoch } = ledgers.store;
    const [json, keepMs] = await client.hmget(keys.ledger(dedupKey), `e:${effect}`, "keepMs");
    const entry: Partial<Entry> = JSON.parse(json ?? "{}");
    // One that is done has no fence any more.
    const isRun = entry.reservationId === reservationId && Number(entry.fence ?? fence) === fence;
    if (!isRun) {
      // Redis may have lost it.
      await epoch.check().catch(() => {});
      return undefined;
    }
    if (entry.deadline !== undefined && Date.now() > entry.deadline - CLOCKS_DIFFER_MS)
      await sweepPlace(ledgers.store);
    return new Ledger(keeping(ledgers, Number(keepMs ?? this.#rememberMs)), dedupKey, () => undefined);
  }

  #open() {
    if (this.#opened !== undefined) return this.#opened;
    const queues = this.#queues;
    const secrets = openFingerprintSecrets(queues, this.#prefix, guardPlaces);
    const sweep = startGuardSweep(queues.stores, { everyMs: SWEEP_EVERY_MS, log: this.#log });
    queues.epochs.onLoss((place) => this.#afterLoss(place));
    this.#opened = { secrets, sweep };
    return this.#opened;
  }

  #of(place: string): GuardLedgers {
    this.#open();
    const opened = this.#places.get(place) ?? new GuardLedgers(this.#queues.stores.of(place), "API");
    this.#places.set(place, opened);
    return opened;
  }

  async #afterLoss(place: string): Promise<void> {
    const ledgers = this.#places.get(place)?.of(this.#rememberMs);
    if (ledgers === undefined) return;
    const { client, keys } = ledgers.store;
    // Nobody else says that these processes may still be at it.
    const seen = [...ledgers.unreported.values()].flatMap(({ worker = "" }) => [Date.now(), worker]);
    if (seen.length > 0) await client.zadd(keys.workersSeen, "GT", ...seen);
    await doubtUnreported(ledgers);
  }
}

interface Entry {
  readonly reservationId: string;
  readonly fence: string;
  readonly deadline: number;
}

/** The same ledgers, for an effect that says itself how long it is remembered. */
function keeping(ledgers: QueueLedgers, keepMs: number): QueueLedgers {
  const { store, worker, unreported } = ledgers;
  return keepMs === ledgers.retentionMs
    ? ledgers
    : { ...openQueueLedgers(store, worker, keepMs), unreported };
}

function answerOf(
  reservation: Reservation,
  name: string,
  call: Pick<ReservedRun, "id" | "effectKey" | "installation">,
): ReservedRun {
  switch (reservation.kind) {
    case "reserved":
      return { state: "reserved", ...call, fence: reservation.fence, result: null };
    case "done":
      return { state: "done", ...call, fence: null, result: JSON.parse(reservation.result ?? "null") };
    case "busy":
      throw new HoldfastError("EFFECT_BUSY", `Another run may still be at effect "${name}"`, {
        retryAfterMs: reservation.ms,
      });
    default: {
      const { message } = inDoubt(name, "an earlier run never reported");
      throw new HoldfastError("EFFECT_IN_DOUBT", `${message}; ${advice(call.id, name)}`);
    }
  }
}

/** @throws HoldfastError `IDEMPOTENCY_KEY_INVALID`, `INVALID_REQUEST` */
function nameCall({ effect, key, content }: ReserveRequest) {
  const fault = keyFault(key);
  if (fault !== undefined) throw new HoldfastError("IDEMPOTENCY_KEY_INVALID", `key: ${fault}`);
  const json = canonicalJson(content ?? null);
  if (json.kind === "refused")
    throw malformed(json.issues.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, message })));
  const dedupKey = dedupKeyOf(`guard.${effect}`, key);
  const place = placeOf(dedupKey);
  return { dedupKey, place, id: callId(place, dedupKey), content: json.text };
}

function advice(id: string, effect: string): string {
  return `resolve it with \`holdfast doubts resolve ${id} ${effect}\``;
}
