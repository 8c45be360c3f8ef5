import { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schema } from "../../platform/lib/schema.ts";
import type { AttemptFunction } from "../job/attempt.ts";
import type { JobContract } from "../job/contract.ts";
import type { ContractDeclarations, JobDeclarations } from "../job/declarations.ts";
import {
  type Declared,
  effectDeclarationSchema,
  type PlainNameOf,
  type Policies,
  type ProbedNameOf,
} from "../job/effect.ts";
import type { ReturnedAsJson, SentAsJson } from "../job/jsonified.ts";
import type { PointerInto } from "../job/redaction.ts";
import { type RetryPolicy, retryPolicySchema } from "../job/retry-policy.ts";
import {
  type Declaration,
  type DeclaredMembers,
  nameSchema,
  repeated,
  requireDefinition,
  standardSchema,
  unknownMembers,
  withDefaults,
} from "./declaration.ts";
import { strayPointers } from "./stray-pointers.ts";

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

const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 366 * DAY_MS;
const DEFAULT_QUEUE = "default";

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

/** Returns what declares a job type. @param declarations what contracts may declare beside what all have */
export function openDefineJob(declarations: readonly Declaration[]) {
  const members: DeclaredMembers = Object.assign({}, ...declarations.map(({ ofJob }) => ofJob));
  return function defineJob<
    const Type extends string,
    PayloadIn,
    Payload,
    Result,
    const P extends Policies = Readonly<Record<never, never>>,
  >(
    definition: JobDefinition<Type, PayloadIn, Payload, Result, P> & {
      readonly payload: SentAsJson<PayloadIn>;
      readonly result: ReturnedAsJson<Result>;
    },
  ): JobContract<Type, PayloadIn, Payload, Result, PlainNameOf<P>, ProbedNameOf<P>> {
    requireDefinition(definition, "defineJob");
    requireValid(definition, members);
    const contract: ReturnType<typeof defineJob<Type, PayloadIn, Payload, Result, P>> = {
      ...definition,
      // These members are checked by their schemas.
      ...withDefaults<ContractDeclarations<Payload>>(members, definition),
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
  };
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
    : parsed.error.issues.flatMap((issue) => faultsOf(issue, Object.keys(shape)));
  if (faults.length === 0) return;
  const lines = faults.map((fault) => `job "${definition.type}": ${fault}`);
  throw new HoldfastError("APPLICATION_INVALID", lines.join("\n"));
}

function faultsOf(issue: z.core.$ZodIssue, known: readonly string[]): string[] {
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) return unknownMembers(issue.keys, known);
  return [`${issue.path.join(".")}: ${issue.message}`];
}

function formerQueueFaults({ queue = DEFAULT_QUEUE, formerQueues = [] }: Definition): string[] {
  return [
    ...(formerQueues.includes(queue)
      ? [`formerQueues: expected other queues than the job's own, got "${queue}"`]
      : []),
    ...repeated(formerQueues).map(
      (name) => `formerQueues: expected each queue once, got "${name}" more than once`,
    ),
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
