import { pino } from "pino";
import type { AttemptOutcome, ClaimedJob } from "../core/bullmq/claim/claimed-job.ts";
import { Lease } from "../core/bullmq/claim/lease.ts";
import { openEffects } from "../core/effect/effects.ts";
import { createEvents } from "../core/events.ts";
import type { JobContract, JobHandler } from "../core/job/contract.ts";
import { dedupKeyOf } from "../core/job/dedup-key.ts";
import type { Failure } from "../core/job/failure.ts";
import { keyFault } from "../core/job/idempotency-key.ts";
import { newJobId } from "../core/job/job-id.ts";
import type { Jsonified } from "../core/job/jsonified.ts";
import type { Receipt } from "../core/job/submit-options.ts";
import type { TestedAttempt } from "../core/run/given-attempt.ts";
import { type CheckNext, givenSubmit } from "../core/run/next-jobs.ts";
import { runAttempt } from "../core/run/run-attempt.ts";
import type { SubmissionOptions } from "../core/submit/submission.ts";
import { openValidator, type ValidSubmission } from "../core/submit/validate.ts";
import { watchOutgoing } from "../evidence/outgoing/watch-outgoing.ts";
import { features } from "../features/index.ts";
import type { ErrorCode } from "../platform/errors/error-codes.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../platform/lib/canonical-json.ts";
import type { Logger } from "../platform/lib/logger.ts";
import { watchUnhandled } from "../platform/lib/stray-rejections.ts";
import {
  type EffectScript,
  knownEffects,
  MemoryLedger,
  type RecordedEffect,
  RecordedEffects,
} from "./recorded-effects.ts";

export interface RunHandlerOptions<EffectName extends string = string> extends TestedAttempt {
  /** The number of the attempt, from 1 to as many as the job may have. @default 1 */
  readonly attempt?: number;
  /** @default "test" */
  readonly idempotencyKey?: string;
  /**
   * What becomes of effects instead of running them, by name, with `/index` where they have one. The others run.
   *
   * @default none
   * @example { send: { done: { messageId: "<1@example.com>" } } }
   * @example { charge: { throws: new NotDoneError("the card is declined") }, "notify/ann": { inDoubt: true } }
   */
  readonly effects?: { readonly [Name in EffectName | `${EffectName}/${string}`]?: EffectScript };
}

/** How an attempt ended in a test, as a worker would report it. */
export type HandlerRun<Result = unknown> = Readonly<{
  /** The effects that the handler asked for, in that order. */
  effects: readonly RecordedEffect[];
  /** The jobs that it submitted, each once, in that order. */
  submitted: readonly RecordedSubmission[];
  /** What it reported as progress. */
  progress: readonly unknown[];
  /** What it logged, and what Holdfast logged about its effects. */
  logs: readonly LoggedLine[];
}> &
  (
    | { readonly state: "completed"; readonly result: Jsonified<Result>; readonly error?: undefined }
    | {
        /** `delayed`: there would be another attempt. */
        readonly state: "delayed" | "failed";
        readonly error: HandlerError;
        readonly result?: undefined;
      }
    | {
        /** It would be called again later, with no attempt used up: the handler threw a `SnoozeError`. */
        readonly state: "deferred";
        /** Milliseconds until then. */
        readonly delayMs: number;
        /** Why; `SNOOZED` for a `SnoozeError`. */
        readonly code: ErrorCode | undefined;
        readonly result?: undefined;
        readonly error?: undefined;
      }
  );

export interface HandlerError extends Failure {
  readonly stack: string;
  /** Milliseconds to the next attempt, if the handler asked for them with a `RetryAfterError`. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * Runs a handler once, without a store. It is checked, bounded and reported by the code that workers run; only the ledger of its
 * effects is in memory. A bad payload or result is therefore an `error` with the code that the job would fail with.
 *
 * @param payload as a client would send it
 * @throws HoldfastError `APPLICATION_INVALID` for options that no worker could meet
 * @example
 * const { result, effects } = await runHandler(welcomeEmailHandler, payload, { effects: { send: { done: { messageId } } } });
 */
export async function runHandler<PayloadIn, Result, EffectName extends string>(
  handler: JobHandler<PayloadIn, Result, EffectName>,
  payload: NoInfer<PayloadIn>,
  options: RunHandlerOptions<NoInfer<EffectName>> = {},
): Promise<HandlerRun<Result>> {
  const { attempt = 1, idempotencyKey = "test", effects: scripts = {} } = options;
  watchOutgoing();
  requireDeclared(handler.job.effects, scripts);
  requirePossible(handler, attempt, idempotencyKey);
  const loaded = await Promise.all(features.map(({ inTest }) => inTest?.()));
  const ofFeatures = loaded.flatMap((module) => module?.inTest(options, asStored) ?? []);
  const progress: unknown[] = [];
  const logs: LoggedLine[] = [];
  const known = knownEffects(scripts);
  // What the ledger knows was left by an earlier delivery.
  const delivery = attempt + Math.sign(known.size);
  const parts = { payload, attempt, delivery, idempotencyKey, progress };
  const job = claimedJob(handler, parts);
  const ledger = new MemoryLedger(dedupKeyOf(job.type, idempotencyKey), known);
  const events = createEvents();
  const effects: RecordedEffects[] = [];
  const { checkNext, submitted } = recordSubmissions();
  const watching = watchUnhandled((what) =>
    logs.push({ level: "error", message: "not waited for", fields: { what } }),
  );
  const outcome = await runAttempt(
    {
      handlers: new Map([[job.type, handler]]),
      log: recordingLog(logs),
      events,
      now: Date.now,
      parts: [...ofFeatures, { given: givenSubmit(checkNext) }],
      openEffects(_, contract, parts) {
        const inner = openEffects(contract.effects, () => ({ job, ledger, events, ...parts }), job.delivery);
        const recorded = new RecordedEffects(inner, ledger, scripts);
        effects.push(recorded);
        return recorded;
      },
    },
    job,
  ).finally(() => watching.stop());
  return {
    ...endOf<Result>(handler, attempt, outcome),
    effects: effects.flatMap((all) => all.recorded()),
    submitted: submitted(),
    progress,
    logs,
  };
}

/** @throws HoldfastError `APPLICATION_INVALID` for a script of an effect that the job does not declare */
function requireDeclared(declared: object, scripts: object): void {
  const unknown = Object.keys(scripts).find((id) => !Object.hasOwn(declared, id.split("/")[0] ?? ""));
  if (unknown === undefined) return;
  const names = Object.keys(declared).join(", ") || "none";
  throw new HoldfastError(
    "APPLICATION_INVALID",
    `effects: expected effects of the job (${names}), got "${unknown}"`,
  );
}

/** @throws HoldfastError `APPLICATION_INVALID` for an attempt or a key that no job can have */
function requirePossible({ job: { type, retry } }: JobHandler, attempt: number, key: string): void {
  const isPossible = Number.isInteger(attempt) && attempt >= 1 && attempt <= retry.attempts;
  const fault = isPossible
    ? keyFault(key)
    : `expected a whole number from 1 to ${retry.attempts}, the attempts of "${type}", got ${attempt}`;
  if (fault === undefined) return;
  throw new HoldfastError("APPLICATION_INVALID", `${isPossible ? "idempotencyKey" : "attempt"}: ${fault}`);
}

interface JobParts {
  readonly payload: unknown;
  readonly attempt: number;
  readonly delivery: number;
  readonly idempotencyKey: string;
  readonly progress: unknown[];
}

function claimedJob(
  { job: contract }: JobHandler,
  { payload, attempt, delivery, idempotencyKey, progress }: JobParts,
): ClaimedJob {
  return {
    id: newJobId(contract.queue, "000000000000"),
    type: contract.type,
    get envelope() {
      return { key: idempotencyKey, payload: asStored(payload) };
    },
    attemptsMade: attempt - 1,
    maxAttempts: contract.retry.attempts,
    crashes: 0,
    startedAt: Date.now(),
    readyAt: undefined,
    delivery,
    startBy: undefined,
    submittedAt: Date.now(),
    hasBegun: async () => attempt > 1,
    countSnooze: async () => 1,
    lease: new Lease(Number.POSITIVE_INFINITY),
    lockToken: "",
    progress: async (value) => {
      progress.push(value);
      return undefined;
    },
    keepLog: async () => {},
  };
}

/** A handler gets what JSON has kept of the payload. */
function asStored(payload: unknown): unknown {
  const json = canonicalJson(payload);
  if (json.kind === "json") return JSON.parse(json.text);
  const [issue] = json.issues;
  throw new HoldfastError("INVALID_PAYLOAD", `${issue?.pointer || "/"}: ${issue?.message}`);
}

function endOf<Result>({ job: { retry } }: JobHandler, attempt: number, outcome: AttemptOutcome) {
  switch (outcome.kind) {
    case "completed":
      return { state: "completed", result: storedResult(outcome.result) as Jsonified<Result> } as const;
    case "failed": {
      const { failure, trace: stack, retryAfterMs } = outcome;
      const state = failure.retryable && attempt < retry.attempts ? "delayed" : "failed";
      return { state, error: { ...failure, stack, retryAfterMs } } as const;
    }
    case "deferred":
      return { state: "deferred", delayMs: outcome.delayMs, code: outcome.code } as const;
    case "released":
      // Only a worker that stops could cause that.
      throw new HoldfastError("INTERNAL", "The attempt was released");
  }
}

/** What a status shows of it. */
function storedResult(result: unknown): unknown {
  return JSON.parse(JSON.stringify(result ?? null));
}

/** A job that a handler submitted in a test. */
export interface RecordedSubmission {
  readonly id: string;
  readonly type: string;
  /** Made of the running job's type and key, and the submission's name. */
  readonly idempotencyKey: string;
  /** As it was submitted, before defaults of its schema. */
  readonly payload: unknown;
  /** As the API would get them: instants are ISO 8601. */
  readonly options: SubmissionOptions;
}

interface Recorder {
  readonly checkNext: CheckNext;
  /** Each job once, in the order of submission. */
  submitted(): RecordedSubmission[];
}

/** Checks submissions as the store's path does, and keeps them. */
function recordSubmissions(): Recorder {
  const validate = openValidator(features);
  const known = new Map<string, RecordedSubmission & { readonly content: string }>();

  function record({ contract, content, payloadJson, idempotencyKey, options }: ValidSubmission): Receipt {
    const { type, queue } = contract;
    const key = `${type}\0${idempotencyKey}`;
    const first = known.get(key);
    if (first !== undefined && first.content !== content)
      throw new HoldfastError("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used with other content");
    const id = first?.id ?? newJobId(queue, "000000000000");
    const payload: unknown = payloadJson === undefined ? undefined : JSON.parse(payloadJson);
    if (first === undefined) known.set(key, { id, type, idempotencyKey, payload, options, content });
    return { id, type, idempotencyKey, duplicate: first !== undefined };
  }

  return {
    submitted: () => [...known.values()].map(({ content, ...submission }) => submission),
    checkNext(job, input) {
      // A handler has a whole contract, or no worker could submit its job.
      const application = { jobs: new Map([[job.type, job as JobContract]]) };
      const checked = later(() => validate(application, input));
      return async () => record(checked());
    },
  };
}

/** Does it now; what it returned, or threw, comes with each call. */
function later<T>(work: () => T): () => T {
  try {
    const done = work();
    return () => done;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** A line of the log of an attempt. */
export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error" | "fatal";
  readonly message: string;
  /** As JSON, which is how a log shows them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its lines in memory. */
export function recordingLog(lines: LoggedLine[]): Logger {
  const options = { level: "debug", base: null, timestamp: false, formatters: { level: named } } as const;
  const log = pino(options, {
    write(json: string) {
      const line: Omit<LoggedLine, "message"> & { readonly msg: string } = JSON.parse(json);
      const { level, msg, ...fields } = line;
      lines.push({ level, message: msg, fields: asNamed(fields) });
    },
  });
  // A child would repeat on each line which attempt it is of.
  return Object.assign(log, { child: () => log }) as Logger;
}

/** No field of Holdfast's own can hide one of the handler's here. */
function asNamed(fields: object): LoggedLine["fields"] {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.replace(/^handler\./, ""), value]),
  );
}

function named(level: string) {
  return { level };
}
