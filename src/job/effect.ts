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

/** A side effect that a job declares: how long it may take, and what to do when nobody knows whether it happened. */
export type EffectDeclaration =
  | {
      /** Milliseconds one run may take, 1 to 86,400,000. */
      readonly timeoutMs: number;
      /**
       * `hold`: the job fails visibly and waits for an operator. `probe`: the handler's probe asks downstream; that is safe
       * only for an effect that heeds its signal, or a downstream that checks the fence.
       */
      readonly inDoubt: "hold" | "probe";
    }
  | {
      readonly timeoutMs: number;
      /** Run it again with the same key: downstream recognises it and does not act twice. */
      readonly inDoubt: "repeat";
      /** Milliseconds for which downstream recognises the key, counted from the first run. After that it is held. */
      readonly downstreamRemembersMs: number;
    };

export type EffectDeclarations = Readonly<Record<string, EffectDeclaration>>;

/** What an effect is given when it runs. */
export interface EffectCall {
  /** The same over attempts and duplicates: pass it downstream as idempotency key. 22 URL-safe characters. */
  readonly key: string;
  /**
   * Grows with each reservation of this effect, a whole number below 2^53. Pass it downstream, where a call with a lower one
   * than was seen before must be refused: it comes from a worker that was paused, and that a later run has overtaken.
   */
  readonly fence: number;
  /** Aborted when the effect's time is up, and whenever the attempt's is. */
  readonly signal: AbortSignal;
}

/** What a probe is given: it begins nothing, so it has no fence. */
export type ProbeCall = Omit<EffectCall, "fence">;

/** What an error of the effect says about whether it happened. */
export type EffectVerdict = "not-done" | "unknown";

/** What a probe found out. Any other answer counts as `unknown`. */
export type ProbeAnswer<T> = "not-done" | "unknown" | { readonly done: T };

export interface EffectOptions<T> {
  /** Tells effects in a loop apart: 1 to 200 characters that are the same in each attempt, e.g. a recipient's id. */
  readonly index?: string;
  /** Overrides what a thrown error means; undefined leaves it to the default classifier. */
  readonly classify?: (error: unknown) => EffectVerdict | undefined;
  /**
   * Asks downstream whether the effect with this key happened; used where the effect is declared `probe`.
   *
   * It is asked after the effect's time is up. An effect that ignores its signal can still be running then, and act after the
   * probe said not done: heed the signal, or pass the fence downstream.
   */
  readonly probe?: (call: ProbeCall) => Promise<ProbeAnswer<T>>;
}

/** Runs a side effect that must not happen twice. */
export interface RunEffect<Name extends string> {
  /**
   * Runs `run` unless it ran to its end before, in whichever attempt; then its stored result is returned.
   *
   * A second call of the same effect and index, while the first is under way in this attempt, joins the first. A call from
   * inside its own `run` is refused: it would wait for itself.
   *
   * @param options.assumedResult makes what it returns where it was settled as done and nobody gave a result
   * @throws what `run` throws when that proves that nothing happened; BullMQ then retries
   * @throws InDoubtError when nobody can know whether it happened
   */
  <T, Assumed>(
    name: Name,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptions<T> & { assumedResult: (call: Pick<EffectCall, "key">) => Assumed },
  ): Promise<T | Assumed>;
  <T>(name: Name, run: (call: EffectCall) => Promise<T>, options?: EffectOptions<T>): Promise<T | undefined>;
}
