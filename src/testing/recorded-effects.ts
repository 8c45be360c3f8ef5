import { randomUUID } from "node:crypto";
import type { Effects } from "../core/effect/effects.ts";
import type { EffectLedger, ReservationTimes, ReservedEffect } from "../core/effect/ledger/ledger.ts";
import type {
  Committed,
  Doubted,
  LeftOpen,
  Released,
  Reservation,
} from "../core/effect/ledger/ledger-answers.ts";
import type { Resolved } from "../core/effect/ledger/resolve-doubt.ts";
import { effectKeyOf } from "../core/job/dedup-key.ts";
import type { EffectCall, EffectOptions, RunEffect } from "../core/job/effect.ts";
import type { Resolution } from "../core/job/resolution.ts";

/**
 * What becomes of an effect in a test, instead of running its function.
 *
 * `done`: an earlier attempt did it, and this is its result; `undefined` if a person resolved it as done and nobody knows the result.
 * `inDoubt`: an earlier attempt left it in doubt. `throws`: its function throws this, and has sent nothing.
 */
export type EffectScript =
  | { readonly done: unknown }
  | { readonly inDoubt: true }
  | { readonly throws: unknown };

/** By effect, with `/index` where it has one. */
export type EffectScripts = Readonly<Record<string, EffectScript | undefined>>;

/** One effect that a handler asked for. */
export interface RecordedEffect {
  readonly name: string;
  readonly index: string | undefined;
  /** What the effect passes downstream as idempotency key. */
  readonly key: string;
  /** What the ledger says in the end. `not-done`: it may run again in the next attempt. */
  readonly state: "done" | "not-done" | "in-doubt";
  /** Whether its function ran in this attempt. */
  readonly ran: boolean;
  /** What the handler got. */
  readonly result?: unknown;
  /** What was thrown at the handler. */
  readonly error?: unknown;
}

type Recording = Omit<RecordedEffect, "state"> & { readonly id: string };

/** The effects of one attempt, with what a test scripts for them; each is recorded once. */
export class RecordedEffects implements Effects {
  readonly #inner: Effects;
  readonly #ledger: MemoryLedger;
  readonly #scripts: EffectScripts;
  readonly #recordings = new Map<string, Recording>();
  readonly blocked: Effects["blocked"];
  readonly close: Effects["close"];
  readonly checkLeftOpen: Effects["checkLeftOpen"];

  constructor(inner: Effects, ledger: MemoryLedger, scripts: EffectScripts) {
    this.#inner = inner;
    this.#ledger = ledger;
    this.#scripts = scripts;
    this.blocked = () => inner.blocked();
    this.close = () => inner.close();
    this.checkLeftOpen = (fault) => inner.checkLeftOpen(fault);
  }

  readonly effect: RunEffect<string> = async <T>(
    name: string,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptions<T> = {},
  ): Promise<T | undefined> => {
    // Untyped handlers pass anything; what runs the effect refuses it.
    const index = (options as EffectOptions<T> | null)?.index;
    const id = index === undefined ? name : `${name}/${index}`;
    const known = this.#recordings.get(id);
    const record = { id, name, index, key: effectKeyOf(this.#ledger.dedupKey, id), ran: known?.ran ?? false };
    const script = this.#scripts[id];
    const body = async (call: EffectCall): Promise<T> => {
      if (script !== undefined && "throws" in script) throw script.throws;
      record.ran = true;
      return await run(call);
    };
    // Also while it runs: the handler need not wait for it.
    this.#recordings.set(id, record);
    try {
      const result = (await this.#inner.effect<unknown>(name, body, options)) as T | undefined;
      this.#recordings.set(id, { ...record, result });
      return result;
    } catch (error) {
      this.#recordings.set(id, { ...record, error });
      throw error;
    }
  };

  /** What was recorded so far, in the order in which the handler first asked. */
  recorded(): RecordedEffect[] {
    return [...this.#recordings.values()].map(({ id, ...record }) => ({
      ...record,
      state: stateOf(this.#ledger.get(id)),
    }));
  }
}

/** What earlier attempts have left in the ledger. */
export function knownEffects(scripts: EffectScripts): Map<string, KnownEffect> {
  return new Map(
    Object.entries(scripts).flatMap(([id, script]): [string, KnownEffect][] => {
      if (script !== undefined && "done" in script) {
        const { done } = script;
        return [[id, { state: "done", result: done === undefined ? null : JSON.stringify(done) }]];
      }
      return script !== undefined && "inDoubt" in script ? [[id, { state: "in-doubt" }]] : [];
    }),
  );
}

function stateOf(known: KnownEffect | undefined): RecordedEffect["state"] {
  if (known === undefined) return "not-done";
  return known.state === "done" ? "done" : "in-doubt";
}

/** What is known of one effect. Where nothing is, it was never begun, or provably did not happen. */
export type KnownEffect =
  | {
      readonly state: "reserved";
      readonly reservationId: string;
      /** It ran before, and nobody knows how that ended. */
      readonly isRepeat: boolean;
    }
  | { readonly state: "in-doubt" }
  /** `result` is JSON; null where nobody knows it. */
  | { readonly state: "done"; readonly result: string | null };

/** A ledger in memory, for one attempt without competitors: no locks, no deadlines, no other queue. */
export class MemoryLedger implements EffectLedger {
  readonly dedupKey: string;
  /** The default. */
  readonly installation = "holdfast";
  readonly #known: Map<string, KnownEffect>;
  /** As in Redis, at least the time. */
  #fence = Date.now();

  /** @param known what earlier attempts have left, by effect and index */
  constructor(dedupKey: string, known: ReadonlyMap<string, KnownEffect> = new Map()) {
    this.dedupKey = dedupKey;
    this.#known = new Map(known);
  }

  get(effect: string): KnownEffect | undefined {
    return this.#known.get(effect);
  }

  async reserve(
    { effect, reservationId }: ReservedEffect,
    { repeatMs }: ReservationTimes,
  ): Promise<Reservation> {
    const known = this.#known.get(effect);
    if (known?.state === "done") return { kind: "done", result: known.result };
    if (known !== undefined && repeatMs === 0) {
      this.#known.set(effect, { state: "in-doubt" });
      return { kind: "in-doubt", fence: this.#fence };
    }
    this.#fence += 1;
    this.#known.set(effect, { state: "reserved", reservationId, isRepeat: known !== undefined });
    return { kind: "reserved", unconfirmed: undefined, fence: this.#fence };
  }

  async commit({ effect, reservationId }: ReservedEffect, result: string): Promise<Committed> {
    if (this.#reserved(effect, reservationId) === undefined) return "refused";
    this.#known.set(effect, { state: "done", result: result === "" ? null : result });
    return "done";
  }

  async release(effect: string, reservationId: string): Promise<Released> {
    const reserved = this.#reserved(effect, reservationId);
    if (reserved === undefined) return "refused";
    // This run proves nothing about the one before.
    if (reserved.isRepeat) return await this.doubt(effect, reservationId);
    this.#known.delete(effect);
    return "released";
  }

  async doubt(effect: string, reservationId: string): Promise<Doubted> {
    if (this.#reserved(effect, reservationId) === undefined) return "refused";
    this.#known.set(effect, { state: "in-doubt" });
    return "in-doubt";
  }

  async reportOver(): Promise<void> {}

  async resolve(effect: string, { as, result }: Resolution): Promise<Resolved> {
    const known = this.#known.get(effect);
    if (known?.state !== "in-doubt") return { kind: "not-in-doubt", state: known?.state ?? null };
    if (as === "done") this.#known.set(effect, { state: "done", result: result ?? null });
    else this.#known.delete(effect);
    return { kind: "resolved", jobId: randomUUID(), job: "running" };
  }

  async leftOpen(): Promise<LeftOpen> {
    const [left] = [...this.#known].filter(([, { state }]) => state === "in-doubt");
    return left === undefined ? { kind: "none" } : { kind: "in-doubt", effect: left[0] };
  }

  #reserved(effect: string, reservationId: string) {
    const known = this.#known.get(effect);
    return known?.state === "reserved" && known.reservationId === reservationId ? known : undefined;
  }
}
