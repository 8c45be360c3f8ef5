import { HoldfastError } from "../errors/holdfast-error.ts";
import { batchByTurn } from "../lib/batch-by-turn.ts";
import { leaseLua, retryFailedJobLua } from "../queue/includes.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { effectAssociatedData } from "../redis/associated-data.ts";
import { type Epoch, inEpoch, OTHER_EPOCH } from "../redis/epoch.ts";
import { epochLua, nowLua } from "../redis/includes.ts";
import { redisFault } from "../redis/redis-errors.ts";
import { loadScript, type Script } from "../redis/script.ts";
import { findFormerEntry } from "./former-ledger.ts";
import { entriesLua, ledgerLua } from "./includes.ts";
import { openStoredName, storedNameOf } from "./stored-name.ts";
import type { UnreportedEffects } from "./unreported-effects.ts";

/**
 * @param claim hash of a job's type and idempotency key: each has a ledger of its own
 * @param otherQueues where the same key may have a ledger, too: its type has moved from or to there. @default none
 */
export type Ledgers = (dedupKey: string, otherQueues?: readonly QueueStore[]) => Ledger;

/** One run of an effect, and the attempt it belongs to. */
export interface ReservedEffect {
  readonly effect: string;
  readonly owner: string;
  readonly jobId: string;
  readonly lockToken: string;
  readonly start: number;
}

/** What an attempt shows to reserve an effect. */
export interface ReservationRequest extends ReservedEffect {
  readonly worker: string;
  /** Milliseconds until the owner must have ended. */
  readonly deadlineMs: number;
  /** Milliseconds from the first run for which it may be run again; 0: never. */
  readonly repeatMs: number;
}

export type Reservation =
  /**
   * @param isConfirmed unconfirmed, it may be lost: nothing may begin, and it is to be released
   * @param fence grows with each reservation of the effect
   */
  | { readonly kind: "reserved"; readonly isConfirmed: boolean; readonly fence: number }
  | { readonly kind: "done"; readonly result: string | null }
  /** @param times how often the job was deferred for it */
  | { readonly kind: "busy"; readonly ms: number; readonly times: number }
  | { readonly kind: "in-doubt" }
  | { readonly kind: "not-leased" }
  | { readonly kind: "cancelled" };

export type Committed = "done" | "in-doubt" | "refused";
export type Released = "released" | "in-doubt" | "refused";
export type Doubted = "in-doubt" | "refused";

export interface Resolution {
  readonly as: "done" | "not-done";
  /** JSON; the late report of the effect's own worker is used where it is absent. */
  readonly result?: string | undefined;
  readonly evidence: string;
  readonly by: string;
}

/** What becomes of a job when a doubt of it is resolved; as resolve.lua explains. */
export const resolvedJobs = ["retried", "in-doubt", "running", "cancelled", "completed", "gone"] as const;
export type ResolvedJob = (typeof resolvedJobs)[number];

/** What earlier starts of a job have left open. */
export type LeftOpen =
  | { readonly kind: "none" }
  | { readonly kind: "busy"; readonly effect: string; readonly ms: number; readonly times: number }
  | { readonly kind: "in-doubt"; readonly effect: string };

export type Resolved =
  | { readonly kind: "resolved"; readonly jobId: string; readonly job: ResolvedJob }
  | { readonly kind: "not-in-doubt"; readonly state: string | null };

const script = (file: string, ...includes: string[]): Script =>
  loadScript(import.meta.url, file, nowLua, ...includes);
const scripts = {
  reserve: script("reserve.lua", epochLua, leaseLua, ledgerLua),
  commit: script("commit.lua", leaseLua),
  release: script("release.lua", ledgerLua, entriesLua),
  doubt: script("doubt.lua", entriesLua),
  resolve: script("resolve.lua", retryFailedJobLua, ledgerLua, entriesLua),
  leftOpen: script("left-open.lua", leaseLua, entriesLua),
};

/** Each transition of an effect is one of these: one atomic compare-and-set in the store. */
export interface Ledger {
  reserve(request: ReservationRequest): Promise<Reservation>;
  /** Costs the attempt its job where the report is not taken. @param result JSON, "" for none */
  commit(reservedEffect: ReservedEffect, result: string): Promise<Committed>;
  release(effect: string, owner: string): Promise<Released>;
  doubt(effect: string, owner: string, reason: string): Promise<Doubted>;
  resolve(effect: string, resolution: Resolution): Promise<Resolved>;
  /** Puts in doubt what earlier starts of the job left reserved past its deadline. */
  leftOpen(job: { readonly id: string; readonly start: number }): Promise<LeftOpen>;
}

/** What only a worker needs, which begins effects. */
export interface WorkersLedger {
  readonly epoch: Epoch;
  readonly held: UnreportedEffects;
}

/** At a concurrency of 50 four and eight were the quickest: while the store is at some, others are made. */
const TOGETHER_MAX = 8;

/**
 * The ledgers of one queue. What the attempts of this process ask of them within one turn of the event loop travels in
 * one command; each transition is atomic all the same.
 *
 * @param retentionMs how long finished effects are remembered
 */
export function openLedgers(store: QueueStore, retentionMs: number, ofWorker?: WorkersLedger): Ledgers {
  const { client, codec } = store;
  const { ledgerStart: ledgers, start: jobs, doubts, joinedJobs: joined } = store.keys;
  const run = async <T>(
    step: keyof typeof scripts,
    keys: readonly string[],
    args: readonly (string | number)[],
  ) => {
    try {
      return (await scripts[step].run(client, keys, args)) as T;
    } catch (error) {
      throw redisFault(error);
    }
  };
  // As one text there and one back: profiles showed the client's work for each argument and each element of a reply.
  const reserve = batchByTurn({
    itemsMax: TOGETHER_MAX,
    async run(requests: readonly StepArgs[]): Promise<Reservation[]> {
      if (ofWorker === undefined) throw new HoldfastError("INTERNAL", "Only a worker begins effects");
      const { epoch } = ofWorker;
      const keys = [store.keys.epoch, doubts, joined];
      const items = JSON.stringify(requests);
      const { result, isConfirmed } = await inEpoch<unknown[]>(epoch, async (id, count) => {
        const written = await epoch
          .write(scripts.reserve, keys, [ledgers, jobs, id, count, items])
          .catch(failed);
        if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
        const [counted, result] = JSON.parse(String(written.reply)) as [number, unknown[]];
        return { count: counted, result, isConfirmed: written.isConfirmed };
      });
      return result.map((reply) => toReservation(reply, isConfirmed));
    },
  });
  const commit = batchByTurn({
    itemsMax: TOGETHER_MAX,
    async run(reports: readonly StepArgs[]) {
      const args = [ledgers, jobs, retentionMs, JSON.stringify(reports)];
      return JSON.parse(await run<string>("commit", [doubts], args)) as Committed[];
    },
  });
  /** An end that is refused can mean that the store has lost the reservation: then it is put in doubt before it is let go. */
  async function ended<T extends string>(owner: string, outcome: Promise<T>): Promise<T> {
    const told = await outcome;
    if (told === "refused") await ofWorker?.epoch.check().catch(() => {});
    ofWorker?.held.drop(owner);
    return told;
  }
  return (dedupKey, otherQueues = []) => {
    const ledger = ledgers + dedupKey;
    /** Of the effects with an index that were asked for. */
    const names = new Map<string, string>();
    const findName = async (effect: string) => {
      const name = await storedNameOf(store, dedupKey, effect);
      names.set(effect, name);
      return name;
    };
    // At once, for a report must be on its way before the attempt goes on; its effect was reserved before.
    const nameOf = (effect: string) => names.get(effect) ?? effect;
    /** What another queue's ledger knows of the effect goes by the name that it has there: what is sealed is bound to it. */
    const inherit = async (effect: string): Promise<StepArgs> => {
      const inherited = await findFormerEntry(otherQueues, dedupKey, effect).catch(failed);
      if (inherited === undefined) return [];
      const name = nameOf(effect);
      if (inherited.name !== name && (await client.hexists(ledger, `e:${name}`).catch(failed)) > 0) return [];
      names.set(effect, inherited.name);
      return [inherited.entry, inherited.result];
    };
    const encrypt = (name: string, part: "result" | "reason" | "evidence", text: string) =>
      text === "" ? "" : codec.encrypt(text, effectAssociatedData(dedupKey, name, part));
    return {
      async reserve(request) {
        const { effect, owner, lockToken, start, deadlineMs, repeatMs, jobId, worker } = request;
        if (effect.includes("/")) await findName(effect);
        const elsewhere = otherQueues.length > 0 ? await inherit(effect) : [];
        const name = nameOf(effect);
        const args = [dedupKey, name, owner, lockToken, String(start), deadlineMs, repeatMs, jobId, worker];
        const reservation = await reserve([...args, ...elsewhere]);
        if (reservation.kind === "reserved")
          ofWorker?.held.lease(dedupKey, { effect: name, owner, jobId, start, worker });
        if (reservation.kind !== "done" || reservation.result === null) return reservation;
        return {
          ...reservation,
          result: codec.open(reservation.result, effectAssociatedData(dedupKey, name, "result")),
        };
      },
      commit({ effect, owner, jobId, lockToken, start }, result) {
        const name = nameOf(effect);
        const args = [
          dedupKey,
          name,
          owner,
          encrypt(name, "result", result),
          jobId,
          lockToken,
          String(start),
        ];
        return ended(owner, commit(args));
      },
      async release(effect, owner) {
        const args = [nameOf(effect), owner, retentionMs, dedupKey];
        const outcome = await run<Released>("release", [ledger, doubts], args);
        ofWorker?.held.drop(owner);
        return outcome;
      },
      doubt(effect, owner, reason) {
        const name = nameOf(effect);
        const args = [name, owner, encrypt(name, "reason", reason), dedupKey];
        return ended(owner, run<Doubted>("doubt", [ledger, doubts], args));
      },
      async resolve(effect, { as, result = "", evidence, by }) {
        const name = await findName(effect);
        const encrypted = [encrypt(name, "result", result), encrypt(name, "evidence", evidence)];
        const args = [name, as, ...encrypted, by, retentionMs, dedupKey, jobs];
        const keys = [ledger, doubts, store.keys.audit, joined];
        const [kind, detail, job] = await run<[string, string | null, ResolvedJob]>("resolve", keys, args);
        return kind === "resolved"
          ? { kind, jobId: detail ?? "", job }
          : { kind: "not-in-doubt", state: detail };
      },
      async leftOpen({ id, start }) {
        const keys = [ledger, doubts];
        const reply = await run<[string, string, number, number]>("leftOpen", keys, [
          dedupKey,
          id,
          start,
          jobs,
        ]);
        const [kind, stored = "", ms = 0, times = 0] = reply;
        const effect = openStoredName(store, dedupKey, stored);
        if (kind === "busy") return { kind, effect, ms, times };
        return kind === "in-doubt" ? { kind, effect } : { kind: "none" };
      },
    };
  };
}

type StepArgs = readonly (string | number)[];

function failed(error: unknown): never {
  throw redisFault(error);
}

function toReservation(reply: unknown, isConfirmed: boolean): Reservation {
  const [kind, detail, times] = reply as [Reservation["kind"], (string | number | null)?, number?];
  switch (kind) {
    case "done":
      return { kind, result: detail == null ? null : String(detail) };
    case "busy":
      return { kind, ms: Number(detail), times: Number(times) };
    case "reserved":
      return { kind, isConfirmed, fence: Number(detail) };
    case "in-doubt":
    case "not-leased":
    case "cancelled":
      return { kind };
    default:
      throw new HoldfastError("INTERNAL", "The ledger gave an unknown answer");
  }
}
