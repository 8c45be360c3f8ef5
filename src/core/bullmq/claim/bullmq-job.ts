import type { Job, JobProgress } from "bullmq";
import { messageOf } from "../../../platform/lib/thrown.ts";
import { isUnanswered, redisFault } from "../../../platform/redis/redis-errors.ts";
import { jobNotFound } from "../../job/job-id.ts";
import { type JobEnvelope, openEnvelope } from "../add/envelope.ts";
import type { QueueStore } from "../store/queue-store.ts";
import type { ClaimedJob } from "./claimed-job.ts";
import type { Lease } from "./lease.ts";

const LOGS_MAX = 100;

/** A job as BullMQ delivered it to this worker. */
export class BullmqJob implements ClaimedJob {
  readonly id: string;
  readonly lease: Lease;
  readonly lockToken: string;
  readonly #job: Job<unknown, unknown, string>;
  readonly #store: QueueStore;
  #envelope: JobEnvelope | undefined;

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

  get envelope(): JobEnvelope {
    this.#envelope ??= openEnvelope(this.#store, this.id, this.#job.data);
    return this.#envelope;
  }

  get attemptsMade(): number {
    return this.#job.attemptsMade;
  }

  get maxAttempts(): number {
    return this.#job.opts.attempts ?? 1;
  }

  get crashes(): number {
    return this.#job.stalledCounter;
  }

  get startedAt(): number {
    return this.#job.processedOn ?? this.#job.timestamp;
  }

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

  get startBy(): number | undefined {
    const { startBy } = this.#job.opts as { readonly startBy?: unknown };
    return typeof startBy === "number" ? startBy : undefined;
  }

  get submittedAt(): number {
    return this.#job.timestamp;
  }

  get delivery(): number {
    return this.#job.attemptsStarted;
  }

  async hasBegun(): Promise<boolean> {
    const { attemptsMade, stalledCounter, stacktrace } = this.#job;
    if (attemptsMade + stalledCounter + (stacktrace?.length ?? 0) > 0) return true;
    const { client, keys } = this.#store;
    const [snoozes, dedupKey] = await inOurWords(client.hmget(keys.job(this.id), "snoozes", "dedupKey"));
    return snoozes != null || dedupKey != null;
  }

  async countSnooze(): Promise<number> {
    return await inOurWords(this.#store.client.hincrby(this.#store.keys.job(this.id), "snoozes", 1));
  }

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
