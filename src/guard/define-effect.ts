import type { EffectDeclaration, Policies } from "../core/job/effect.ts";
import type { SentAsJson } from "../core/job/jsonified.ts";
import type { Schema } from "../platform/lib/schema.ts";

type Policy = Policies[string];

interface GuardedOptions<Result, Stored> {
  /** 1 to 64 lower-case letters, digits and dashes, starting with a letter. */
  readonly name: string;
  /**
   * What is kept of the result, at most 16 KiB as JSON: a schema, Zod's or any Standard Schema, that also accepts what it has made. Members
   * that it drops are not stored. It is asked again whenever the result is read.
   *
   * @default anything that JSON can hold, of the type `unknown`
   */
  readonly result?: Schema<Result, Stored>;
  /**
   * Milliseconds from its end for which a key and its result are remembered, 1,000 to a year. Afterwards a call with the same key runs the
   * effect again. Doubts are kept until they are resolved.
   *
   * @default `HOLDFAST_RETENTION_MS`, 7 days
   */
  readonly rememberMs?: number;
}

/** An effect that no job runs, as it is declared. */
export type EffectDefinition<Result, Stored, P extends Policy> = GuardedOptions<Result, Stored> &
  EffectDeclaration & { readonly inDoubt: P };

/** An effect for a guard. It holds no code of the effect, so every process may load it. */
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
 * @example
 * export const charge = defineEffect({
 *   name: "charge",
 *   timeoutMs: 10_000,
 *   inDoubt: "hold",
 *   classify: stripe,
 *   result: z.object({ id: z.string() }),
 * });
 */
export function defineEffect<Result, Stored, const P extends Policy>(
  definition: EffectDefinition<Result, Stored, P> & { readonly result?: SentAsJson<NoInfer<Stored>> },
): GuardedEffect<Result, Stored, P> {
  const { name, result, rememberMs, ...declaration } = definition;
  return { name, result, rememberMs, declaration: declaration as EffectDeclaration };
}
