import type { Schema } from "../../platform/lib/schema.ts";
import type { AttemptFunction } from "./attempt.ts";
import type { ContractDeclarations } from "./declarations.ts";
import type { EffectDeclarations } from "./effect.ts";
import type { Redaction } from "./redaction.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/** What a job is. It holds no handler code, so every process may load it. */
export interface JobContract<
  Type extends string = string,
  PayloadIn = unknown,
  Payload = unknown,
  Result = unknown,
  EffectName extends string = never,
  ProbedName extends string = never,
> extends ContractDeclarations<Payload> {
  readonly type: Type;
  readonly payload: Schema<PayloadIn, Payload>;
  readonly result: Schema<Result, unknown>;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly effects: EffectDeclarations;
  readonly queue: string;
  readonly formerQueues: readonly string[];
  readonly startWithinMs: number | undefined;
  readonly redact: Redaction;
  readonly requiredVariables: readonly string[];
  /**
   * Binds the function that does the job. Keep it in a file that only the worker loads.
   *
   * @example export const reportHandler = report.handler(async ({ payload, effect }) => { … });
   */
  handler(
    run: AttemptFunction<Payload, Result, EffectName, ProbedName>,
  ): JobHandler<PayloadIn, Result, EffectName | ProbedName>;
}

/** A contract and the function that does the job. */
export interface JobHandler<PayloadIn = unknown, Result = unknown, EffectName extends string = never> {
  readonly job: JobContract;
  readonly run: AttemptFunction<unknown, unknown>;
  /** For the compiler alone: it is never set. */
  readonly types?: {
    readonly payload: PayloadIn;
    readonly result: Result;
    readonly effect: (name: EffectName) => void;
  };
}
