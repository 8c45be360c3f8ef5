import { z } from "zod";

const DAY_MS = 24 * 60 * 60 * 1000;

const timeoutMs = z.number().int().min(1).max(DAY_MS);

export const effectDeclarationSchema = z.discriminatedUnion("inDoubt", [
  z.strictObject({ timeoutMs, inDoubt: z.literal("hold") }),
  z.strictObject({ timeoutMs, inDoubt: z.literal("probe") }),
  z.strictObject({
    timeoutMs,
    inDoubt: z.literal("repeat"),
    downstreamRemembersMs: z
      .number()
      .int()
      .min(1)
      .max(366 * DAY_MS),
  }),
]);

/**
 * Declares a side effect: how long it may take, and what follows when nobody can know whether it happened.
 *
 * @example { timeoutMs: 10_000, inDoubt: "hold" }
 * @example { timeoutMs: 10_000, inDoubt: "repeat", downstreamRemembersMs: 86_400_000 }
 */
export type EffectDeclaration =
  | {
      /** Milliseconds that one run may take, 1 to 86,400,000 (a day). */
      readonly timeoutMs: number;
      /**
       * `hold`: the job fails with `EFFECT_IN_DOUBT` and waits for an operator.
       *
       * `probe`: the handler's probe asks downstream. This is safe only if the effect looks at its signal right before it acts, or
       * downstream checks the fence.
       */
      readonly inDoubt: "hold" | "probe";
    }
  | {
      /** Milliseconds that one run may take, 1 to 86,400,000 (a day). */
      readonly timeoutMs: number;
      /** `repeat`: runs again with the same key, which downstream recognises. */
      readonly inDoubt: "repeat";
      /** Milliseconds for which downstream remembers a key, counted from the first run. Later doubts are held. */
      readonly downstreamRemembersMs: number;
    };

export type EffectDeclarations = Readonly<Record<string, EffectDeclaration>>;

/** What a run of an effect gets. */
export interface EffectCall {
  /** The effect's identity, the same for every attempt and duplicate: 22 URL-safe characters. Pass it downstream as idempotency key. */
  readonly key: string;
  /**
   * A whole number below 2^53 that grows with each reservation of this effect. Pass it downstream, which must refuse a lower
   * number than it has seen: that call comes from a paused worker whose effect ran again elsewhere.
   */
  readonly fence: number;
  /**
   * Aborted when the effect's time is up, and when the attempt's signal is. `aborted` and `throwIfAborted()` look at the clock: after a
   * pause of the process they need not wait for a timer.
   */
  readonly signal: AbortSignal;
}

/** What a probe gets. It starts nothing, so it has no fence. */
export type ProbeCall = Omit<EffectCall, "fence">;

/** What an error says about an effect: it did not happen, or nobody can know. */
export type EffectVerdict = "not-done" | "unknown";

/** What a probe found out. Any other answer counts as `unknown`. */
export type ProbeAnswer<T> = "not-done" | "unknown" | { readonly done: T };

export interface EffectOptions<T> {
  /**
   * Distinguishes runs of one effect in a loop: 1 to 200 characters, the same in each attempt.
   *
   * @default none
   * @example { index: recipient.id }
   */
  readonly index?: string;
  /**
   * Overrides what a thrown error says about the effect; `undefined` leaves it to the default classifier.
   *
   * @example { classify: (error) => (error instanceof CardDeclined ? "not-done" : undefined) }
   */
  readonly classify?: (error: unknown) => EffectVerdict | undefined;
  /**
   * Asks downstream whether the effect with this key happened. Used if the effect is declared `probe`.
   *
   * It runs after the effect's time is up. An effect whose worker was paused may still act after the probe's "not done": look at the
   * signal right before the act, or, for a pause between that look and the act, pass the fence downstream.
   *
   * @example
   * { probe: async ({ key, signal }) => {
   *   const charge = await bank.find(key, { signal });
   *   return charge === undefined ? "not-done" : { done: charge.id };
   * } }
   */
  readonly probe?: (call: ProbeCall) => Promise<ProbeAnswer<T>>;
}

/** Runs a side effect that must not happen twice. */
export interface RunEffect<Name extends string> {
  /**
   * Runs `run`, unless it was done before in any attempt; then returns the stored result, at most 16 KiB as JSON.
   *
   * A second call of the same effect and index in this attempt joins the first. A call from inside its own `run` is refused,
   * because it would wait for itself.
   *
   * @param options.assumedResult makes the return value if a person resolved the effect as done without a result; without it
   *   that is `undefined`
   * @throws what `run` throws, if that proves that nothing happened; the job is then retried
   * @throws InDoubtError when nobody can know whether it happened
   * @example const id = await effect("charge", ({ key, signal }) => bank.charge(payload.cents, { key, signal }));
   */
  <T, Assumed>(
    name: Name,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptions<T> & { assumedResult: (call: Pick<EffectCall, "key">) => Assumed },
  ): Promise<T | Assumed>;
  <T>(name: Name, run: (call: EffectCall) => Promise<T>, options?: EffectOptions<T>): Promise<T | undefined>;
}
