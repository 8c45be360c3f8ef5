import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import type { ConnectedQueues } from "../../core/bullmq/store/connect-queues.ts";
import {
  type FingerprintSecrets,
  openFingerprintSecrets,
} from "../../core/bullmq/store/fingerprint-secrets.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { nameSchema } from "../../core/define/declaration.ts";
import { ABORT_MARGIN_MS } from "../../core/effect/act-once.ts";
import { inDoubt, resultJson } from "../../core/effect/effect-run.ts";
import { doubtUnreported, Ledger } from "../../core/effect/ledger/ledger.ts";
import type { Reservation } from "../../core/effect/ledger/ledger-answers.ts";
import { decryptEffectText, type StoredEffect } from "../../core/effect/ledger/ledger-texts.ts";
import { effectKeyOf } from "../../core/job/dedup-key.ts";
import { callInDoubt, canonicalContent, nameCall } from "../../guard/call.ts";
import { GuardedLedger, GuardLedgers } from "../../guard/guarded-ledger.ts";
import { guardPlaces, startGuardSweep, sweepPlace, watchPlaces } from "../../guard/places.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type {
  commitSchema,
  committedSchema,
  doneBeforeSchema,
  doubtBodySchema,
  releaseSchema,
  reservedSchema,
  reserveSchema,
} from "./run-schemas.ts";

type Reserve = Readonly<z.output<typeof reserveSchema>>;
type Reserved = Readonly<z.output<typeof reservedSchema>>;
type DoneBefore = Readonly<z.output<typeof doneBeforeSchema>>;
type Committed = Readonly<z.output<typeof committedSchema>>;
/** Which run it is about. */
type Report = Readonly<Pick<z.output<typeof commitSchema>, "key" | "fence">>;

/** Effects whose code is in programs that are not ours. Their ledger is that of guards. */
export interface RunsElsewhere {
  /**
   * @param effect its name
   * @param by the caller
   * @throws HoldfastError `INVALID_REQUEST`, `IDEMPOTENCY_KEY_INVALID`, `IDEMPOTENCY_KEY_REUSED`, `IN_DOUBT`; `EFFECT_BUSY` while another
   *   run may be under way
   */
  reserve(effect: string, request: Reserve, by: string): Promise<Reserved | DoneBefore>;
  /** @throws HoldfastError `INVALID_REQUEST`, `IDEMPOTENCY_KEY_INVALID`, `RESERVATION_LOST`; `IN_DOUBT` if it is late */
  commit(effect: string, report: z.output<typeof commitSchema>): Promise<Committed>;
  /** Nothing happened: the key is free. @throws HoldfastError as `commit` */
  release(effect: string, report: z.output<typeof releaseSchema>): Promise<void>;
  /** Nobody can know whether it happened. @throws HoldfastError as `commit`, but for `IN_DOUBT` */
  doubt(effect: string, report: z.output<typeof doubtBodySchema>): Promise<void>;
}

/** By then a sweep has put in doubt what nobody has reported. */
const REMEMBERED_AFTER_MS = 60_000;
/** Clocks differ by less. */
const CLOCKS_DIFFER_MS = 5_000;

type Connected = Pick<ConnectedQueues, "stores" | "epochs" | "client" | "codec">;
type Needed = Pick<Settings, "HOLDFAST_PREFIX" | "HOLDFAST_RETENTION_MS" | "HOLDFAST_KEEP_BYTES">;

export function openRunsElsewhere(
  queues: Connected,
  settings: Needed,
  log?: Logger,
): RunsElsewhere & Running {
  return new Runs(queues, settings, log);
}

type ReservedRun = Extract<Reservation, { readonly kind: "reserved" }>;
/** @param deadline by Redis's clock, in milliseconds */
type Answer = Exclude<Reservation, ReservedRun> | (ReservedRun & { readonly deadline: number }) | Unkept;
interface Unkept {
  readonly kind: "unkept";
}

class Runs implements RunsElsewhere, Running {
  readonly #queues: Connected;
  readonly #settings: Needed;
  readonly #log: Logger | undefined;
  readonly #places = new Map<string, GuardLedgers>();
  /** Most processes run none of these effects. */
  #opened: { readonly secrets: FingerprintSecrets; readonly sweep: Running } | undefined;
  readonly stop = stopOnce(async () => await this.#opened?.sweep.stop());

  constructor(queues: Connected, settings: Needed, log: Logger | undefined) {
    this.#queues = queues;
    this.#settings = settings;
    this.#log = log;
  }

  async reserve(name: string, request: Reserve, by: string): Promise<Reserved | DoneBefore> {
    const { downstreamRemembersMs: repeatMs = 0, reservationId = randomUUID() } = request;
    const { dedupKey, id, place } = nameValid(name, request.key);
    const content = canonicalContent(request.content);
    const ledgers = this.#of(place);
    const process = request.process ?? by;
    const deadlineMs = request.timeoutMs + ABORT_MARGIN_MS;
    const reserve = async () => {
      const fingerprint = await ledgers.fingerprintOf(dedupKey, content);
      const rememberMs = request.rememberMs ?? this.#settings.HOLDFAST_RETENTION_MS;
      const texts = {
        key: request.key,
        by: request.by === undefined ? by : `${by}: ${request.by}`,
        about: request.about ?? null,
      };
      const elsewhere = [process, deadlineMs] as const;
      const call = { ...texts, fingerprint, rememberMs, elsewhere };
      const ledger = new GuardedLedger(ledgers, dedupKey, call);
      const run = { effect: name, reservationId, jobId: id, lockToken: "", delivery: 0 };
      const reservation = await ledger.reserve(run, { deadlineMs, repeatMs }).catch(unkeptOrFault);
      if (reservation.kind !== "reserved") return reservation;
      const { unreported } = ledgers.queue;
      setTimeout(() => unreported.delete(reservationId), deadlineMs + REMEMBERED_AFTER_MS).unref();
      if (reservation.unconfirmed === undefined) return { ...reservation, deadline: ledger.deadline };
      await ledger.release(name, reservationId);
      throw reservation.unconfirmed;
    };
    const call = { id, effectKey: effectKeyOf(dedupKey, name), installation: this.#settings.HOLDFAST_PREFIX };
    return await this.#answerOf(await inTime(reserve()), { name, dedupKey, place }, call);
  }

  async #answerOf(
    reservation: Answer,
    effect: StoredEffect & { readonly place: string },
    call: Pick<Reserved, "id" | "effectKey" | "installation">,
  ): Promise<Reserved | DoneBefore> {
    switch (reservation.kind) {
      case "reserved": {
        const { fence, deadline } = reservation;
        return { state: "reserved", ...call, fence, deadline: isoTime(deadline - ABORT_MARGIN_MS) };
      }
      case "done":
        return {
          state: "done",
          ...call,
          result: JSON.parse(reservation.result ?? "null"),
          isResultKept: true,
        };
      case "unkept":
        return { state: "done", ...call, result: null, isResultKept: false };
      case "busy":
        throw new HoldfastError("EFFECT_BUSY", `Another run may still be at effect "${effect.name}"`, {
          retryAfterMs: reservation.ms,
        });
      default:
        throw await callInDoubt(
          this.#of(effect.place).queue.store,
          effect,
          call.id,
          inDoubt(effect.name, "an earlier run left it in doubt").message,
        );
    }
  }

  async commit(effect: string, report: z.output<typeof commitSchema>): Promise<Committed> {
    const json = report.isResultKept === false ? undefined : resultJson(report.result);
    let kept: unknown;
    await this.#report(effect, report, async (ledger, { reservationId, id }, store) => {
      const run = { effect, reservationId, jobId: id, lockToken: "", delivery: 0 };
      const outcome = await ledger.commit(run, json ?? "");
      if (outcome === "done" && json !== undefined)
        kept = await readResult(store, { dedupKey: ledger.dedupKey, name: effect });
      return outcome;
    });
    return { state: "done", isResultKept: json !== undefined && isDeepStrictEqual(kept, JSON.parse(json)) };
  }

  async release(effect: string, report: z.output<typeof releaseSchema>): Promise<void> {
    await this.#report(effect, report, (ledger, { reservationId }) => ledger.release(effect, reservationId));
    const { fence, reason } = report;
    this.#log?.info({ effect, fence, reason }, "a program says that its effect did not happen");
  }

  async doubt(effect: string, report: z.output<typeof doubtBodySchema>): Promise<void> {
    const { reason, isOver } = report;
    await this.#report(effect, report, async (ledger, { reservationId }) => {
      const outcome = await ledger.doubt(effect, reservationId, { reason, evidence: [] });
      if (isOver && outcome === "in-doubt")
        await ledger.reportOver(effect, reservationId, Promise.resolve({ result: undefined }));
      return outcome === "in-doubt" ? "doubted" : outcome;
    });
  }

  async #report(
    effect: string,
    { key, fence }: Report,
    send: (
      ledger: Ledger,
      run: { readonly reservationId: string; readonly id: string },
      store: QueueStore,
    ) => Promise<"done" | "released" | "doubted" | "in-doubt" | "refused">,
  ): Promise<void> {
    const { place, dedupKey, id } = nameValid(effect, key);
    const report = async () => {
      const run = await this.#find({ place, dedupKey, name: effect }, fence);
      if (run === undefined) return "refused";
      return await send(run.ledger, { reservationId: run.reservationId, id }, this.#of(place).queue.store);
    };
    const outcome = await inTime(report());
    if (outcome === "in-doubt") {
      const message = `The report on effect "${effect}" ends no doubt: it came too late, or an earlier run of the effect never reported`;
      throw await callInDoubt(this.#of(place).queue.store, { name: effect, dedupKey }, id, message);
    }
    if (outcome === "refused")
      throw new HoldfastError(
        "RESERVATION_LOST",
        `Effect "${effect}" is not, or no longer, reserved by this run`,
      );
  }

  /** Finds a run that was reserved, in whatever process. A late one is in doubt by then. */
  async #find(
    { place, dedupKey, name }: StoredEffect & { readonly place: string },
    fence: number,
  ): Promise<{ readonly ledger: Ledger; readonly reservationId: string } | undefined> {
    const { queue } = this.#of(place);
    const { client, keys, epoch } = queue.store;
    const [json, lastFence] = await client.hmget(keys.ledger(dedupKey), `e:${name}`, "fence");
    const { reservationId, deadline, ...entry }: Partial<Entry> = JSON.parse(json ?? "{}");
    // One that is done has no fence any more: it is the last run's.
    if (reservationId === undefined || Number(entry.fence ?? lastFence) !== fence) {
      // Redis may have lost it.
      await epoch.check().catch(() => {});
      return undefined;
    }
    if (deadline !== undefined && Date.now() > deadline - CLOCKS_DIFFER_MS) await sweepPlace(queue.store);
    return { ledger: new Ledger(queue, dedupKey, () => undefined), reservationId };
  }

  #open() {
    if (this.#opened !== undefined) return this.#opened;
    const queues = this.#queues;
    const secrets = openFingerprintSecrets(queues, this.#settings.HOLDFAST_PREFIX, guardPlaces);
    const keepBytes = this.#settings.HOLDFAST_KEEP_BYTES;
    const sweep = startGuardSweep(queues.stores, { log: this.#log, keepBytes });
    queues.epochs.onLoss((place) => this.#afterLoss(place));
    void watchPlaces(queues.stores);
    this.#opened = { secrets, sweep };
    return this.#opened;
  }

  #of(place: string): GuardLedgers {
    const { secrets } = this.#open();
    const store = this.#queues.stores.of(place);
    const opened =
      this.#places.get(place) ?? new GuardLedgers(store, "API", this.#settings, secrets.of(place));
    this.#places.set(place, opened);
    return opened;
  }

  async #afterLoss(place: string): Promise<void> {
    const ledgers = this.#places.get(place)?.queue;
    if (ledgers === undefined) return;
    const { client, keys } = ledgers.store;
    // Nobody else says that these processes may still be at it.
    const seen = [...ledgers.unreported.values()].flatMap(({ worker }) => [Date.now(), worker]);
    if (seen.length > 0) await client.zadd(keys.workersSeen, "GT", ...seen);
    await doubtUnreported(ledgers);
  }
}

/** The first result stays, whatever later reports say. @returns undefined where none is kept, a text where this process cannot read it */
async function readResult(store: QueueStore, effect: StoredEffect): Promise<unknown> {
  const [text] = await store.client.hmget(store.keys.ledger(effect.dedupKey), `r:${effect.name}`);
  if (text == null) return undefined;
  return decryptedOrWhyNot((): unknown => JSON.parse(decryptEffectText(store, effect, "result", text)));
}

interface Entry {
  readonly reservationId: string;
  readonly fence: string;
  readonly deadline: number;
}

function unkeptOrFault(error: unknown): Unkept {
  if (error instanceof HoldfastError && error.code === "RESULT_INVALID") return { kind: "unkept" };
  throw error;
}

/** @throws HoldfastError `INVALID_REQUEST`, `IDEMPOTENCY_KEY_INVALID` */
function nameValid(effect: string, key: string) {
  const fault = nameSchema.safeParse(effect).error?.issues[0];
  if (fault !== undefined) throw malformed([{ pointer: "/name", message: fault.message }]);
  return nameCall(effect, key);
}
