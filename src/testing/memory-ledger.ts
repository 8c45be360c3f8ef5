import { randomUUID } from "node:crypto";
import type {
  Committed,
  Doubted,
  EffectLedger,
  LeftOpen,
  Released,
  Reservation,
  ReservationTimes,
  ReservedEffect,
} from "../core/effect/ledger/ledger.ts";
import type { Resolved } from "../core/effect/ledger/resolve-doubt.ts";
import type { Resolution } from "../core/job/resolution.ts";

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

/** A ledger in memory, for one attempt that nobody else competes with: no locks, no deadlines, no other queue. */
export class MemoryLedger implements EffectLedger {
  readonly dedupKey: string;
  readonly #known: Map<string, KnownEffect>;
  #fence = 0;

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
      return { kind: "in-doubt" };
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
