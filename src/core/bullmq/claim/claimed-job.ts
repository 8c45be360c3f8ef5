import type { Job, JobProgress } from "bullmq";
import type { ErrorCode } from "../../../platform/errors/error-codes.ts";
import { messageOf } from "../../../platform/lib/thrown.ts";
import { isUnanswered, redisFault } from "../../../platform/redis/redis-errors.ts";
import type { Failure } from "../../job/failure.ts";
import { jobNotFound } from "../../job/job-id.ts";
import { type JobEnvelope, openEnvelope } from "../add/envelope.ts";
import type { QueueStore } from "../store/queue-store.ts";
import type { Lease } from "./lease.ts";

const LOGS_MAX = 100;

/** A job that this worker has claimed. */
export type ClaimedJob = Pick<BullmqJob, keyof BullmqJob>;

/** The same, as BullMQ delivered it. */
export class BullmqJob {
  readonly id: string;
  readonly lease: Lease;
  readonly lockToken: string;
  readonly #job: Job<unknown, unknown, string>;
  readonly #store: QueueStore;
  #envelope: JobEnvelope | undefined;

  /** @internal The published types name no package that is built in. */
  constructor(job: Job<unknown, unknown, string>, lockToken: string, lease: Lease, store: QueueStore) {
    this.id = job.id ?? "";
    this.lease = lease;
    this.lockToken = lockToken;
    this.#job = job;
    this.#store = store;
  }

  get type(): string {
    return this.#job.name;
  }

  /** @throws HoldfastError `DECRYPTION_FAILED`, `INVALID_PAYLOAD`, when it is read */
  get envelope(): JobEnvelope {
    this.#envelope ??= openEnvelope(this.#store, this.id, this.#job.data);
    return this.#envelope;
  }

  /** Failed attempts before this one. */
  get attemptsMade(): number {
    return this.#job.attemptsMade;
  }

  /** After so many failed attempts it fails for good. */
  get maxAttempts(): number {
    return this.#job.opts.attempts ?? 1;
  }

  /** How often its worker was lost during an attempt. */
  get crashes(): number {
    return this.#job.stalledCounter;
  }

  /** When it was claimed, in milliseconds since 1970 by Redis's clock. */
  get startedAt(): number {
    return this.#job.processedOn ?? this.#job.timestamp;
  }

  /** From when it could run, in milliseconds since 1970; undefined where it has run before, or is a parent. */
  get readyAt(): number | undefined {
    if (!isFirstDelivery(this.#job) || this.#isParent()) return undefined;
    return this.#job.timestamp + (this.#job.opts.delay ?? 0);
  }

  #isParent(): boolean {
    try {
      return this.envelope.children !== undefined;
    } catch {
      // The attempt says what is wrong with it.
      return false;
    }
  }

  /** Until when it must have begun, in milliseconds since 1970 by Redis's clock; undefined where it need not. */
  get startBy(): number | undefined {
    const { startBy } = this.#job.opts as { readonly startBy?: unknown };
    return typeof startBy === "number" ? startBy : undefined;
  }

  /** When it was submitted, in milliseconds since 1970. */
  get submittedAt(): number {
    return this.#job.timestamp;
  }

  /** BullMQ's delivery count; unique per attempt. */
  get delivery(): number {
    return this.#job.attemptsStarted;
  }

  /** Whether it has ever failed, crashed, been snoozed or asked for an effect. @throws HoldfastError `STORE_UNAVAILABLE` */
  async hasBegun(): Promise<boolean> {
    const { attemptsMade, stalledCounter, stacktrace } = this.#job;
    if (attemptsMade + stalledCounter + (stacktrace?.length ?? 0) > 0) return true;
    const { client, keys } = this.#store;
    const [snoozes, dedupKey] = await inOurWords(client.hmget(keys.job(this.id), "snoozes", "dedupKey"));
    return snoozes != null || dedupKey != null;
  }

  /** @returns how often it was snoozed, this time included @throws HoldfastError `STORE_UNAVAILABLE` */
  async countSnooze(): Promise<number> {
    return await inOurWords(this.#store.client.hincrby(this.#store.keys.job(this.id), "snoozes", 1));
  }

  /** @returns why Redis did not store it: it refused, or was not reached @throws HoldfastError if the job is gone */
  async progress(value: number | object): Promise<string | undefined> {
    const encrypted = this.#store.encryptValue(this.id, "progress", value) as JobProgress;
    try {
      await inOurWords(this.#job.updateProgress(encrypted));
      return undefined;
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      return messageOf(error);
    }
  }

  /** Stores a line with the job; the newest 100 are kept. */
  async keepLog(line: string): Promise<void> {
    this.#job.opts.keepLogs = LOGS_MAX;
    await inOurWords(this.#job.log(this.#store.encryptText(this.id, "log", line)));
  }
}

/** The texts of BullMQ and Redis name keys and addresses: they must not become a job's error. */
async function inOurWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // BullMQ numbers its own refusals: here, that the job is gone.
    if (error instanceof Error && "code" in error && typeof error.code === "number") throw jobNotFound();
    throw redisFault(error);
  }
}

/** An operator's retry resets the counts, but leaves the stack traces. */
function isFirstDelivery({ attemptsStarted, stacktrace }: Job): boolean {
  return attemptsStarted === 1 && (stacktrace === null || stacktrace.length === 0);
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly kind: "completed"; readonly result: unknown }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      /** The stack of what was thrown, and of its causes. */
      readonly trace: string;
      /** Milliseconds to the next attempt, instead of the retry policy's. */
      readonly retryAfterMs?: number | undefined;
    }
  /** Returned to the queue for another worker; uses up no attempt. */
  | { readonly kind: "released" }
  /** Claimed again after a delay; uses up no attempt. */
  | { readonly kind: "deferred"; readonly delayMs: number; readonly code?: ErrorCode };
