import { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isSchema, type Schema } from "../../platform/lib/schema.ts";
import type { AttemptFunction } from "./attempt.ts";
import {
  type ContractDeclarations,
  type DeclaredMembers,
  type JobDeclarations,
  withDefaults,
} from "./declarations.ts";
import {
  type Declared,
  type EffectDeclarations,
  effectDeclarationSchema,
  type PlainNameOf,
  type Policies,
  type ProbedNameOf,
} from "./effect.ts";
import { type PointerInto, type Redaction, strayPointers } from "./redaction.ts";
import { type RetryPolicy, retryPolicySchema } from "./retry-policy.ts";

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

export interface JobDefinition<Type extends string, PayloadIn, Payload, Result, P extends Policies>
  extends JobDeclarations<NoInfer<Payload>> {
  /** 1 to 64 lower-case letters, digits and dashes, starting with a letter. */
  readonly type: Type;
  /** What clients send: a schema of JSON, Zod's or any Standard Schema, checked on submission and again before each attempt. */
  readonly payload: Schema<PayloadIn, Payload>;
  /** What the handler returns: a schema of JSON, checked before the job completes. At most 64 KiB as JSON. */
  readonly result: Schema<Result, unknown>;
  /** @example { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.2 } } */
  readonly retry: RetryPolicy;
  /** Milliseconds that one attempt may take, 1 to 86,400,000 (a day). */
  readonly timeoutMs: number;
  /**
   * The job's side effects by name: 1 to 64 lower-case letters, digits and dashes, starting with a letter.
   *
   * @default none
   * @example { charge: { timeoutMs: 10_000, inDoubt: "hold" } }
   */
  readonly effects?: Declared<P>;
  /**
   * The queue its jobs wait in. Types in different queues do not delay each other.
   *
   * @default "default"
   */
  readonly queue?: string;
  /**
   * The queues its jobs waited in before, the oldest first. Workers still run what waits there, and keys that were used
   * there still make no second job.
   *
   * @default none
   */
  readonly formerQueues?: readonly string[];
  /**
   * A job that no worker has begun within this time ends `failed`, with `EXPIRED`: milliseconds from when it may run, 1 to a year. A
   * submission can say otherwise.
   *
   * @default it never expires
   * @example 60 * 60_000
   */
  readonly startWithinMs?: number;
  /**
   * Where secrets are, as JSON pointers. A step `*` is every member or element. Operators see `[redacted]` there; errors and
   * log lines that quote a secret of the payload do not show it.
   *
   * @default none
   * @example { payload: ["/user/password", "/tokens/*"] }
   */
  readonly redact?: {
    readonly payload?: readonly PointerInto<NoInfer<PayloadIn>>[];
    readonly result?: readonly PointerInto<NoInfer<Result>>[];
  };
  /**
   * The environment variables that the handler needs. If one is missing, a worker does not start.
   *
   * @default none
   * @example ["SMTP_URL"]
   */
  readonly requiredVariables?: readonly string[];
}

/** Of job types, effects, queues and schedules. */
export const nameSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,63}$/,
    "expected 1 to 64 lower-case letters, digits and dashes, starting with a letter",
  );
const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 366 * DAY_MS;
const DEFAULT_QUEUE = "default";

const standardSchema = z.custom<Schema>(isSchema, "expected a schema of Zod, or any Standard Schema");

const definitionShape = {
  type: nameSchema,
  payload: standardSchema,
  result: standardSchema,
  retry: retryPolicySchema,
  timeoutMs: z.number().int().min(1).max(DAY_MS),
  effects: z.record(nameSchema, effectDeclarationSchema).optional(),
  queue: nameSchema.optional(),
  formerQueues: z.array(nameSchema).optional(),
  startWithinMs: z.number().int().min(1).max(YEAR_MS).optional(),
  redact: z
    .strictObject({ payload: z.array(z.string()).optional(), result: z.array(z.string()).optional() })
    .optional(),
  requiredVariables: z.array(z.string().regex(/^[A-Z][A-Z0-9_]{0,127}$/)).optional(),
};
type Definition = z.output<z.ZodObject<typeof definitionShape>>;

/**
 * Makes a contract.
 *
 * @param members what features let contracts declare
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 */
export function contractOf<
  const Type extends string,
  PayloadIn,
  Payload,
  Result,
  const P extends Policies = Readonly<Record<never, never>>,
>(
  definition: JobDefinition<Type, PayloadIn, Payload, Result, P>,
  members: DeclaredMembers,
): JobContract<Type, PayloadIn, Payload, Result, PlainNameOf<P>, ProbedNameOf<P>> {
  requireValid(definition, members);
  const contract: ReturnType<typeof contractOf<Type, PayloadIn, Payload, Result, P>> = {
    ...definition,
    // What features declare is checked by their schemas.
    ...(withDefaults(members, definition) as unknown as ContractDeclarations<Payload>),
    effects: definition.effects ?? {},
    queue: definition.queue ?? DEFAULT_QUEUE,
    formerQueues: definition.formerQueues ?? [],
    startWithinMs: definition.startWithinMs,
    redact: { payload: definition.redact?.payload ?? [], result: definition.redact?.result ?? [] },
    requiredVariables: definition.requiredVariables ?? [],
    // The cast is safe: the worker checks the payload against this contract before it calls `run`.
    handler: (run) => ({ job: contract, run: run as AttemptFunction<unknown, unknown> }),
  };
  return contract;
}

function requireValid(definition: { readonly type: string }, members: DeclaredMembers): void {
  const declared = Object.entries(members).map(([name, { accepts = z.unknown() }]) => [
    name,
    accepts.optional(),
  ]);
  const shape: typeof definitionShape = Object.assign(Object.fromEntries(declared), definitionShape);
  const parsed = z.strictObject(shape).safeParse(definition);
  const faults = parsed.success
    ? [...formerQueueFaults(parsed.data), ...redactionFaults(parsed.data)]
    : parsed.error.issues.map(asFault);
  if (faults.length === 0) return;
  const lines = faults.map((fault) => `job "${definition.type}": ${fault}`);
  throw new HoldfastError("APPLICATION_INVALID", lines.join("\n"));
}

function asFault({ path, message }: z.core.$ZodIssue): string {
  return `${path.join(".")}: ${message}`;
}

function formerQueueFaults({ queue = DEFAULT_QUEUE, formerQueues = [] }: Definition): string[] {
  const repeated = new Set(formerQueues.filter((name, index) => formerQueues.indexOf(name) !== index));
  return [
    ...(formerQueues.includes(queue)
      ? [`formerQueues: expected other queues than the job's own, got "${queue}"`]
      : []),
    ...[...repeated].map((name) => `formerQueues: expected each queue once, got "${name}" more than once`),
  ];
}

function redactionFaults({ payload, result, redact = {} }: Definition): string[] {
  const stray = {
    payload: strayPointers(payload, "input", redact.payload ?? []),
    result: strayPointers(result, "output", redact.result ?? []),
  };
  return Object.entries(stray).flatMap(([part, pointers]) =>
    pointers.map(
      (pointer) => `redact.${part}: expected a pointer into the schema of the ${part}, got "${pointer}"`,
    ),
  );
}
