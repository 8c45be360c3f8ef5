import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Application } from "../core/job/application.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../core/job/submit-options.ts";
import { openSubmitPath, type SubmitPath } from "../core/submit/submit-path.ts";
import { startWorker } from "../desk/start-worker.ts";
import { features } from "../features/index.ts";
import { openStatusReader } from "../features/job-status.ts";
import { type Environment, readSettings } from "../platform/config/settings.ts";
import { type Running, stopAll, stopOnce } from "../platform/lib/running.ts";
import { checkSchedules } from "../roles/schedules/check-schedules.ts";
import { type Overlaps, openOverlaps } from "../roles/schedules/overlap.ts";
import { openSchedulePauses, type SchedulePauses } from "../roles/schedules/pauses.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";
import { findSubmitted, openTestJobs, type SubmittedJob, type TestJob } from "./test-jobs.ts";
import { openThrowAwayStore } from "./throw-away-store.ts";

export interface TestHoldfastOptions {
  /**
   * A running Redis, in which the test has a key prefix of its own.
   *
   * @default an embedded server in a temporary directory
   * @example "redis://127.0.0.1:6379"
   */
  readonly redisUrl?: string;
  /** More of Holdfast's variables. @default none @example { HOLDFAST_CONCURRENCY: "1" } */
  readonly env?: Environment;
  /**
   * Milliseconds that waiting may take: `drain()`, `completed()`, `failed()`.
   *
   * @default 4_000, less than the five seconds that Vitest and Jest give a test
   */
  readonly timeoutMs?: number;
}

/** A whole Holdfast for a test: a throw-away store, and a worker in this process. */
export interface TestHoldfast extends Running, AsyncDisposable {
  /**
   * Submits a job, as a producer does.
   *
   * @param options as for a producer; without `idempotencyKey` the job gets a new key
   * @throws HoldfastError as `createProducer`'s `submit`
   */
  submit<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options?: Partial<SubmitOptions>,
  ): Promise<Receipt>;
  /**
   * Waits until no job waits, runs or is due, nor that of a tick which waits for an earlier one to end (`queue-one`). Jobs that are
   * delayed until later stay: move the clock.
   *
   * @throws Error that lists the jobs which did not end in time
   */
  drain(): Promise<void>;
  job(id: string): TestJob;
  /**
   * The jobs of a type that anybody submitted, the first first: the test, a handler or a schedule. Their payloads must have what `match`
   * has, at any depth. Call it when nothing runs.
   */
  submitted<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    match?: PartOf<NoInfer<PayloadIn>>,
  ): Promise<SubmittedJob<PayloadIn>[]>;
  readonly clock: TestClock;
  /** For other roles on the same store. @example await createOperator(application, holdfast.env) */
  readonly env: Environment;
}

const TIMEOUT_MS = 4_000;

/**
 * Starts a Holdfast for tests: a throw-away store and a real worker in this process.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param options the store, the variables and the time-out
 * @throws HoldfastError as `startWorker`, and `START_FAILED` where no Redis or Valkey server is on this machine
 * @example
 * await using holdfast = await startTestHoldfast(application);
 * const { id } = await holdfast.submit(welcomeEmail, payload);
 * expect(await holdfast.job(id).completed()).toEqual({ messageId: "…" });
 */
export async function startTestHoldfast(
  application: Application,
  { redisUrl, env: more, timeoutMs = TIMEOUT_MS }: TestHoldfastOptions = {},
): Promise<TestHoldfast> {
  const store = await openThrowAwayStore(redisUrl);
  const parts: Running[] = [store];
  try {
    const env = store.environment(more);
    const settings = readSettings(env);
    checkSchedules(application.schedules, settings.HOLDFAST_RETENTION_MS);
    const path = await openSubmitPath(application, settings, features);
    parts.push(path);
    const worker = await startWorker(application, env);
    parts.push(worker);
    // A stuck worker shows in what does not end.
    worker.failed.catch(() => {});
    const { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs } = settings;
    const pauses = openSchedulePauses(path.stores, prefix, retentionMs);
    const overlaps = openOverlaps(path.stores, prefix, retentionMs);
    return testHoldfast(application, { path, pauses, overlaps, parts, env, timeoutMs });
  } catch (error) {
    await stopAll(parts);
    throw error;
  }
}

interface Parts {
  readonly path: SubmitPath;
  readonly pauses: SchedulePauses;
  readonly overlaps: Overlaps;
  readonly parts: readonly Running[];
  readonly env: Environment;
  readonly timeoutMs: number;
}

function testHoldfast(
  { queues, schedules }: Application,
  { path, pauses, overlaps, parts, env, timeoutMs }: Parts,
): TestHoldfast {
  const stores = path.stores.partitionsOf(queues);
  const { submitter } = path;
  const clock = createTestClock({ stores, schedules, submitter, pauses, overlaps });
  const readStatus = openStatusReader(path.stores);
  const jobs = openTestJobs({ stores, readStatus, timeoutMs, submitQueued: clock.submitQueued });
  const stop = stopOnce(() => stopAll(parts));
  return {
    clock,
    env,
    drain: jobs.drain,
    job: jobs.of,
    async submit({ type }, payload, { idempotencyKey = randomUUID(), runAt, startBy, ...options } = {}) {
      const instant = (date: Date | undefined) => date && clock.machineTime(date).toISOString();
      const [at, by] = [instant(runAt), instant(startBy)];
      return await path.submitter.submit({
        type,
        payload,
        idempotencyKey,
        options: {
          ...options,
          ...(at !== undefined && { runAt: at }),
          ...(by !== undefined && { startBy: by }),
        },
      });
    },
    async submitted<PayloadIn>({ type }: ProducibleJob<PayloadIn>, match: unknown = {}) {
      const all = await findSubmitted(stores, type);
      return all.filter(({ payload }) => matches(payload, match)) as SubmittedJob<PayloadIn>[];
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A part of a value: objects may lack members, at any depth; lists are whole. */
export type PartOf<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Name in keyof T]?: PartOf<T[Name]> }
    : T;

/** Whether a value has everything that `part` has. */
function matches(value: unknown, part: unknown): boolean {
  if (!isObject(part) || Array.isArray(part)) return isDeepStrictEqual(value, part);
  if (!isObject(value)) return false;
  return Object.entries(part).every(
    ([name, wanted]) => Object.hasOwn(value, name) && matches(value[name], wanted),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
