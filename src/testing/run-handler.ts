import type { AttemptOutcome, ClaimedJob } from "../core/bullmq/claim/claimed-job.ts";
import { Lease } from "../core/bullmq/claim/lease.ts";
import { openEffects } from "../core/effect/effects.ts";
import { createEvents } from "../core/events.ts";
import { dedupKeyOf } from "../core/job/dedup-key.ts";
import type { JobHandler } from "../core/job/define-job.ts";
import { type Failure, failureOf } from "../core/job/failure.ts";
import { keyFault } from "../core/job/idempotency-key.ts";
import { newJobId } from "../core/job/job-id.ts";
import { runAttempt } from "../core/run/run-attempt.ts";
import type { Child } from "../features/flows/flow.ts";
import type { ErrorCode } from "../platform/errors/error-codes.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../platform/lib/canonical-json.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import { type EffectScript, knownEffects, type RecordedEffect, RecordedEffects } from "./recorded-effects.ts";
import { type RecordedSubmission, recordSubmissions } from "./recorded-submissions.ts";
import { type LoggedLine, recordingLog } from "./recording-log.ts";

export interface RunHandlerOptions<EffectName extends string = string> {
  /** The number of the attempt, from 1 to as many as the job may have. @default 1 */
  readonly attempt?: number;
  /** @default "test" */
  readonly idempotencyKey?: string;
  /**
   * What becomes of effects instead of running them, by name, with `/index` where they have one. The others run.
   *
   * @default none
   * @example { send: { done: { messageId: "<1@example.com>" } } }
   * @example { charge: { throws: new Error("the card is declined") }, "notify/ann": { inDoubt: true } }
   */
  readonly effects?: { readonly [Name in EffectName | `${EffectName}/${string}`]?: EffectScript };
  /**
   * The children, as the parent of a flow reads them: results, or errors of failed ones.
   *
   * @default none
   * @example [{ type: "render", result: { pages: 3 } }, { type: "render", error: new Error("no ink") }]
   */
  readonly children?: readonly GivenChild[];
}

/** A child of a flow that has ended. */
export interface GivenChild {
  readonly type: string;
  /** @default its index */
  readonly name?: string;
  readonly result?: unknown;
  /** It failed with this. */
  readonly error?: Error;
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
    | { readonly state: "completed"; readonly result: Result; readonly error?: undefined }
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
  const { attempt = 1, idempotencyKey = "test", effects: scripts = {}, children = [] } = options;
  requireDeclared(handler.job.effects, scripts);
  requirePossible(handler, attempt, idempotencyKey);
  const progress: unknown[] = [];
  const logs: LoggedLine[] = [];
  const known = knownEffects(scripts);
  // What the ledger knows was left by an earlier delivery.
  const delivery = attempt + Math.sign(known.size);
  const parts = { payload, attempt, delivery, idempotencyKey, progress, children };
  const job = claimedJob(handler, parts);
  const ledger = new MemoryLedger(dedupKeyOf(job.type, idempotencyKey), known);
  const events = createEvents();
  const effects: RecordedEffects[] = [];
  const { checkNext, submitted } = recordSubmissions();
  const outcome = await runAttempt(
    {
      handlers: new Map([[job.type, handler]]),
      log: recordingLog(logs),
      events,
      now: Date.now,
      checkNext,
      openEffects(_, contract, parts) {
        const inner = openEffects(contract.effects, () => ({ job, ledger, events, ...parts }), job.delivery);
        const recorded = new RecordedEffects(inner, ledger, scripts);
        effects.push(recorded);
        return recorded;
      },
    },
    job,
  );
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
  readonly children: readonly GivenChild[];
}

function claimedJob(
  { job: contract }: JobHandler,
  { payload, attempt, delivery, idempotencyKey, progress, children }: JobParts,
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
    readyAt: undefined,
    delivery,
    startBy: undefined,
    submittedAt: Date.now(),
    hasBegun: async () => attempt > 1,
    countSnooze: async () => 1,
    children: {
      countUnfinished: async () => 0,
      async *pages() {
        yield children.map(childOf);
      },
    },
    lease: new Lease(Number.POSITIVE_INFINITY),
    lockToken: "",
    progress: async (value) => {
      progress.push(value);
      return undefined;
    },
    keepLog: async () => {},
  };
}

function childOf({ type, name, result, error }: GivenChild, index: number): Child {
  const id = newJobId("default", index.toString(16).padStart(12, "0"));
  const place = { id, type, name: name ?? String(index), index };
  return error === undefined
    ? { ...place, state: "completed", result: asStored(result) }
    : { ...place, state: "failed", error: failureOf(error) };
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
      return { state: "completed", result: outcome.result as Result } as const;
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
