import { z } from "zod";
import { HoldfastError } from "../errors/holdfast-error.ts";
import {
  type EffectDeclaration,
  type EffectDeclarations,
  effectDeclarationSchema,
  type RunEffect,
} from "./effect.ts";
import { type PointerInto, type Redaction, strayPointers } from "./redaction.ts";
import { type RetryPolicy, retryPolicySchema } from "./retry-policy.ts";

/** What a job is, apart from what it does: safe to load in a producer, the API, the CLI and the scheduler. */
export interface JobContract<
  Type extends string = string,
  PayloadIn = unknown,
  Payload = unknown,
  Result = unknown,
  EffectName extends string = never,
> {
  readonly type: Type;
  /** What clients send: JSON, checked on submission and again before each attempt. */
  readonly payload: z.ZodType<Payload, PayloadIn>;
  /** What the handler returns: JSON, checked before the job completes. */
  readonly result: z.ZodType<unknown, Result>;
  readonly retry: RetryPolicy;
  /** Milliseconds one attempt may take, 1 to 86,400,000 (a day). */
  readonly timeoutMs: number;
  /** The side effects it may have, by name. */
  readonly effects: EffectDeclarations;
  /** The queue its jobs wait in. */
  readonly queue: string;
  /** The queues its jobs waited in before, the oldest first. */
  readonly formerQueues: readonly string[];
  /** What operators do not see. */
  readonly redact: Redaction;
  /** The environment variables without which a worker that runs it does not start. */
  readonly requiredVariables: readonly string[];
  /** Binds what the job does. Keep it in a file of its own, which the worker alone loads. */
  handler(run: AttemptFunction<Payload, Result, EffectName>): JobHandler;
}

/** What a handler is given for one attempt. A copy of it by spread (`{ ...attempt }`) has no `signal` and no `log`. */
export interface Attempt<Payload = unknown, EffectName extends string = never> {
  readonly payload: Payload;
  readonly jobId: string;
  readonly idempotencyKey: string;
  /** Which attempt this is, from 1. Attempts that a crash cut off do not count. */
  readonly attempt: number;
  /** Runs a declared side effect at most once, through retries, duplicates and crashes. */
  readonly effect: RunEffect<EffectName>;
  /** Aborted when the time is up, the worker stops, or another worker has taken the job over. */
  readonly signal: AbortSignal;
  /** Log lines with the job's id. The newest 100 of `info`, `warn` and `error` are kept with the job. */
  readonly log: AttemptLog;
  /**
   * Tells how far the attempt is, for the status endpoint.
   *
   * @param value a number or a JSON object of at most 4 kB
   */
  progress(value: number | Readonly<Record<string, unknown>>): Promise<void>;
}

export interface AttemptLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Does the job once. It signals failure by throwing; what it returns is the job's result. */
export type AttemptFunction<Payload, Result, EffectName extends string = never> = (
  attempt: Attempt<Payload, EffectName>,
) => Promise<Result>;

/** A contract and what fulfils it. */
export interface JobHandler {
  readonly job: JobContract;
  readonly run: AttemptFunction<unknown, unknown>;
}

/** What `defineJob` is given. */
export interface JobDefinition<Type extends string, PayloadIn, Payload, Result, EffectName extends string> {
  /** 1 to 64 lower-case letters, digits and dashes, beginning with a letter. */
  readonly type: Type;
  readonly payload: z.ZodType<Payload, PayloadIn>;
  readonly result: z.ZodType<unknown, Result>;
  readonly retry: RetryPolicy;
  /** Milliseconds one attempt may take. */
  readonly timeoutMs: number;
  /**
   * Its side effects by name: 1 to 64 lower-case letters, digits and dashes, beginning with a letter.
   * @default none
   */
  readonly effects?: Readonly<Record<EffectName, EffectDeclaration>>;
  /**
   * The queue its jobs wait in; types in different queues do not delay each other.
   * @default "default"
   */
  readonly queue?: string;
  /**
   * The queues its jobs waited in before, the oldest first: workers go on to run what waits there, and a key that was used
   * there still makes no second job.
   * @default none
   */
  readonly formerQueues?: readonly string[];
  /**
   * Where secrets stand, as JSON pointers; a step `*` is every member or element. Operators see `[redacted]` there, and
   * errors and log lines that quote a secret of the payload do not show it.
   * @default none
   */
  readonly redact?: {
    readonly payload?: readonly PointerInto<NoInfer<PayloadIn>>[];
    readonly result?: readonly PointerInto<NoInfer<Result>>[];
  };
  /**
   * The environment variables that its handler cannot do without, e.g. `["SMTP_URL"]`. A worker does not start where one is
   * missing.
   * @default none
   */
  readonly requiredVariables?: readonly string[];
}

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const nameSchema = z
  .string()
  .regex(NAME, "expected 1 to 64 lower-case letters, digits and dashes, beginning with a letter");
const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_QUEUE = "default";

const definitionSchema = z.strictObject({
  type: nameSchema,
  payload: z.instanceof(z.ZodType),
  result: z.instanceof(z.ZodType),
  retry: retryPolicySchema,
  timeoutMs: z.number().int().min(1).max(DAY_MS),
  effects: z.record(nameSchema, effectDeclarationSchema).optional(),
  queue: nameSchema.optional(),
  formerQueues: z.array(nameSchema).optional(),
  redact: z
    .strictObject({ payload: z.array(z.string()).optional(), result: z.array(z.string()).optional() })
    .optional(),
  requiredVariables: z.array(z.string().regex(/^[A-Z][A-Z0-9_]{0,127}$/)).optional(),
});

/**
 * Declares a kind of job.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with everything that is wrong with the definition
 */
export function defineJob<
  const Type extends string,
  PayloadIn,
  Payload,
  Result,
  EffectName extends string = never,
>(
  definition: JobDefinition<Type, PayloadIn, Payload, Result, EffectName>,
): JobContract<Type, PayloadIn, Payload, Result, EffectName> {
  requireValid(definition);
  const contract: JobContract<Type, PayloadIn, Payload, Result, EffectName> = {
    ...definition,
    effects: definition.effects ?? {},
    queue: definition.queue ?? DEFAULT_QUEUE,
    formerQueues: definition.formerQueues ?? [],
    redact: { payload: definition.redact?.payload ?? [], result: definition.redact?.result ?? [] },
    requiredVariables: definition.requiredVariables ?? [],
    // The worker checks the payload against this very contract before it calls `run`.
    handler: (run) => ({ job: contract, run: run as AttemptFunction<unknown, unknown> }),
  };
  return contract;
}

function requireValid(definition: { readonly type: string }): void {
  const parsed = definitionSchema.safeParse(definition);
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

function formerQueueFaults({
  queue = DEFAULT_QUEUE,
  formerQueues = [],
}: z.output<typeof definitionSchema>): string[] {
  const repeated = new Set(formerQueues.filter((name, index) => formerQueues.indexOf(name) !== index));
  return [
    ...(formerQueues.includes(queue)
      ? [`formerQueues: expected other queues than the job's own, got "${queue}"`]
      : []),
    ...[...repeated].map((name) => `formerQueues: expected each queue once, got "${name}" more than once`),
  ];
}

function redactionFaults({ payload, result, redact = {} }: z.output<typeof definitionSchema>): string[] {
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
