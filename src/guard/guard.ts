import type {
  EffectCall,
  EffectDeclaration,
  EffectOptions,
  Policies,
  ProbedOptions,
  RunEffect,
} from "../core/job/effect.ts";
import type { Jsonified, SentAsJson } from "../core/job/jsonified.ts";
import type { Environment } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import type { Running } from "../platform/lib/running.ts";
import type { Schema } from "../platform/lib/schema.ts";
import { textOf } from "../platform/lib/thrown.ts";
import type { ForeignConnection } from "../platform/redis/redis-url-of.ts";

type Policy = Policies[string];

/** An effect that no job runs, as it is declared. */
export type EffectDefinition<Result, Stored, P extends Policy> = EffectDeclaration & {
  readonly inDoubt: P;
  /** 1 to 64 lower-case letters, digits and dashes, starting with a letter. */
  readonly name: string;
  /**
   * What is kept of the result, at most 16 KiB as JSON: a schema, Zod's or any Standard Schema, that also accepts what it has made.
   *
   * @default anything that JSON can hold, of the type `unknown`
   */
  readonly result?: Schema<Result, Stored>;
  /**
   * Milliseconds from its end for which a key and its result are remembered, 1,000 to a year. Doubts are kept until they are resolved.
   *
   * @default `HOLDFAST_RETENTION_MS`, 7 days
   */
  readonly rememberMs?: number;
};

/** An effect for a guard, without its code: every process may load it. */
export interface GuardedEffect<Result = unknown, Stored = unknown, P extends Policy = Policy> {
  readonly name: string;
  readonly declaration: EffectDeclaration;
  readonly result: Schema | undefined;
  readonly rememberMs: number | undefined;
  /** For the compiler alone: it is never set. */
  readonly types?: { readonly result: Result; readonly stored: Stored; readonly policy: P };
}

/**
 * Declares an effect for a guard. `createGuard` checks it.
 *
 * @throws HoldfastError `APPLICATION_INVALID` for what is no definition
 * @example const charge = defineEffect({ name: "charge", timeoutMs: 10_000, inDoubt: "hold", classify: stripe });
 */
export function defineEffect<Result, Stored, const P extends Policy>(
  definition: EffectDefinition<Result, Stored, P> & { readonly result?: SentAsJson<Stored> },
): GuardedEffect<Result, Stored, P> {
  if (typeof definition !== "object" || definition === null)
    throw new HoldfastError(
      "APPLICATION_INVALID",
      `defineEffect: expected a definition, got ${textOf(definition)}`,
    );
  const { name, result, rememberMs, ...declaration } = definition;
  return { name, result, rememberMs, declaration: declaration as EffectDeclaration };
}

export interface GuardOptions extends WithLogger {
  /** Those that it may run. */
  readonly effects: readonly GuardedEffect[];
  /**
   * An ioredis connection of yours. The guard opens one of its own to the same Redis: yours may queue and send again what must not be.
   *
   * @default `REDIS_URL`
   */
  readonly connection?: ForeignConnection;
  /** The variables. @default process.env */
  readonly env?: Environment;
}

/** What a call is about. */
export interface GuardedCall {
  /** What the effect means to whoever asks: 1 to 255 characters, for each effect its own. The same key is never run twice. */
  readonly key: string;
  /** What goes with the key, as JSON: the same key with other content is refused. @default none, which is compared as `null` */
  readonly content?: unknown;
  /** Milliseconds to wait while another call runs it, 0 to 600,000. @default 0 */
  readonly waitMs?: number;
  /** Who asks, shown with a doubt: at most 200 characters. @default none */
  readonly by?: string;
  /** What it is about, shown with a doubt: at most 500 characters. @default none */
  readonly about?: string;
}

type Options<Stored, P extends Policy> = {
  /** Makes the result if a person resolved the effect as done without one. */
  readonly assumedResult?: (call: Pick<EffectCall, "key">) => Stored;
} & Omit<[P] extends ["probe"] ? ProbedOptions<Stored> : EffectOptions<Stored>, "index">;

/** What a call does about a doubt. An effect that is declared `probe` must have a probe. */
export type OnceOptions<Stored, P extends Policy> = [P] extends ["probe"]
  ? [options: Options<Stored, P>]
  : [options?: Options<Stored, P>];

/** Effects at most once, without a job. */
export interface Guard extends Running, AsyncDisposable {
  /**
   * Runs an effect, unless its key was done before, in whatever process: then returns that result. If nobody can know whether it happened,
   * no call runs it again until the doubt is resolved. Nothing runs it by itself: after "not done" the next call does.
   *
   * @param run gets what to pass downstream; it is over within the effect's `timeoutMs`, or the effect is in doubt
   * @returns what JSON has kept of the result, in every call the same
   * @throws what `run` throws, if it is proved that nothing happened: the key is free again
   * @throws InDoubtError with the doubt's id and evidence
   * @throws EffectBusyError while another call runs it, after `waitMs`
   * @throws HoldfastError `IDEMPOTENCY_KEY_REUSED` for other content, `IDEMPOTENCY_KEY_INVALID`, `INVALID_REQUEST`; `STORE_UNAVAILABLE`,
   *   `STORE_FULL`, `STORE_UNFIT`, `STORE_ROLLED_BACK`, `PERMANENT_FAILURE` (from inside its own run): not begun; `RESULT_INVALID`: done, and its result does not fit
   *   the schema or JSON
   * @example await guard.once(charge, { key: `order-${order.id}`, content: { cents } }, ({ key }) => bank.charge(cents, { key }));
   */
  once<Result, Stored, P extends Policy>(
    effect: GuardedEffect<Result, Stored, P>,
    call: GuardedCall,
    run: (call: EffectCall) => Promise<NoInfer<Result>>,
    ...options: NoInfer<OnceOptions<Stored, P>>
  ): Promise<Jsonified<Stored>>;
  /** The guard's effects as a handler has them, for one key, so without an index: for `databaseEffect`. */
  effectsOf(call: GuardedCall): RunEffect<string, string>;
}
