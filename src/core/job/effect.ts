import { z } from "zod";
import type { Classify } from "../../evidence/classifier.ts";
import type { JsonHeld, Jsonified } from "./jsonified.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

const common = {
  timeoutMs: z.number().int().min(1).max(DAY_MS),
  classify: z.custom<Classify>((value) => typeof value === "function", "expected a function").optional(),
  onError: z.enum(["in-doubt", "not-done"]).optional(),
  actsBy: z.literal("GET").optional(),
};

export const effectDeclarationSchema = z.discriminatedUnion("inDoubt", [
  z.strictObject({ ...common, inDoubt: z.literal("hold") }),
  z.strictObject({ ...common, inDoubt: z.literal("probe") }),
  z.strictObject({
    ...common,
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
export type EffectDeclaration = EffectErrors &
  (
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
      }
  );

/** What the errors of an effect mean. */
interface EffectErrors {
  /**
   * Recognises errors that prove something, e.g. a classifier of `holdfast/evidence`.
   *
   * @default none
   * @example stripe
   */
  readonly classify?: Classify;
  /**
   * What an error means that nothing explains. `not-done` is for effects that decide themselves: whoever writes it vouches that an unknown
   * error never comes after the act. Lost connections and time-outs are doubts all the same.
   *
   * @default "in-doubt"
   */
  readonly onError?: "in-doubt" | "not-done";
  /**
   * Says that this effect acts by `GET`. Otherwise classifiers take each `GET` for a read that proves nothing either way, so that a first one
   * which acted, and whose answer was lost, would not count.
   *
   * @default none: it acts by another method
   */
  readonly actsBy?: "GET";
}

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
  /** The `HOLDFAST_PREFIX` of this Holdfast. In another one, the same job has the same key: where both use one account downstream, put it before the key. */
  readonly installation: string;
  /**
   * Aborted when the effect's time is up, and when the attempt's signal is. `aborted` and `throwIfAborted()` look at the clock: after a
   * pause of the process they need not wait for a timer.
   * Once the effect has failed, both say so, too: pass the signal to each call.
   */
  readonly signal: AbortSignal;
}

/** What a probe gets. Its fence is that of the run in doubt: no run that may still be under way has a higher one, and the next run has. */
export type ProbeCall = EffectCall;

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
   * Says what a thrown error proves, before the classifier of the declaration is asked; `undefined` leaves it to that.
   *
   * @example { classify: (error) => (error instanceof CardDeclined ? "not-done" : undefined) }
   */
  readonly classify?: Classify;
  /**
   * Asks downstream whether the effect with this key happened. Used if the effect is declared `probe`.
   *
   * It runs after the effect's time is up. An effect whose worker was paused may still act after the probe's "not done": look at the
   * signal right before the act, or, for a pause between that look and the act, pass the fence downstream. If it throws a `SnoozeError`, the
   * job is snoozed, and the probe asked again: use it where downstream cannot be reached. What else it throws counts as `unknown`.
   *
   * @example
   * { probe: async ({ key, signal }) => {
   *   const charge = await bank.find(key, { signal });
   *   return charge === undefined ? "not-done" : { done: charge.id };
   * } }
   */
  readonly probe?: (call: ProbeCall) => Promise<ProbeAnswer<T>>;
}

/** Of an effect that is declared `probe`. */
export type ProbedOptions<T> = EffectOptions<T> & Required<Pick<EffectOptions<T>, "probe">>;

interface AssumedResult<Assumed> {
  readonly assumedResult: (call: Pick<EffectCall, "key">) => Assumed;
}

/**
 * Runs a side effect that must not happen twice.
 *
 * @typeParam Name effects that need no probe
 * @typeParam Probed effects that are declared `probe`
 */
export interface RunEffect<Name extends string, Probed extends string = never> {
  /**
   * Runs `run`, unless it was done before in any attempt. Returns what JSON keeps of its result, in every attempt the same: a `Date` is a
   * text. At most 16 KiB as JSON; what JSON cannot hold (`bigint`, `Map`, `Set`, cycles, numbers that are not finite) is `RESULT_INVALID`.
   *
   * A second call of the same effect and index in this attempt joins the first. A call from inside its own `run` is refused,
   * because it would wait for itself.
   *
   * @param options.assumedResult makes the return value if a person resolved the effect as done without a result; without it
   *   that is `undefined`
   * @throws what `run` throws, if it is proved that nothing happened; the job is then retried
   * @throws NotDoneError with that as its cause, if a classifier knows when to retry, or that it cannot help
   * @throws InDoubtError when nobody can know whether it happened
   * @example const id = await effect("charge", ({ key, signal }) => bank.charge(payload.cents, { key, signal }));
   */
  <T, Assumed>(
    name: Name,
    run: (call: EffectCall) => Promise<T & JsonHeld<T>>,
    options: EffectOptions<T> & AssumedResult<Assumed>,
  ): Promise<Jsonified<T> | Assumed>;
  <T>(
    name: Name,
    run: (call: EffectCall) => Promise<T & JsonHeld<T>>,
    options?: EffectOptions<T>,
  ): Promise<Jsonified<T> | undefined>;
  <T, Assumed>(
    name: Name | Probed,
    run: (call: EffectCall) => Promise<T & JsonHeld<T>>,
    options: ProbedOptions<T> & AssumedResult<Assumed>,
  ): Promise<Jsonified<T> | Assumed>;
  <T>(
    name: Name | Probed,
    run: (call: EffectCall) => Promise<T & JsonHeld<T>>,
    options: ProbedOptions<T>,
  ): Promise<Jsonified<T> | undefined>;
}

/** What follows a doubt, by effect. */
export type Policies = Readonly<Record<string, EffectDeclaration["inDoubt"]>>;

/** Declarations of effects with these policies. */
export type Declared<P extends Policies> = {
  readonly [Name in keyof P]: EffectDeclaration & { readonly inDoubt: P[Name] };
};

/** The names of the effects that are declared `probe`. */
export type ProbedNameOf<P extends Policies> = {
  [Name in keyof P & string]: [P[Name]] extends ["probe"] ? Name : never;
}[keyof P & string];

/** The names of all other effects. */
export type PlainNameOf<P extends Policies> = Exclude<keyof P & string, ProbedNameOf<P>>;
