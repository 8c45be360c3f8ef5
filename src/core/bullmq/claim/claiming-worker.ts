import { setTimeout as pause } from "node:timers/promises";
import type { Job, JobJson, Processor, Worker } from "bullmq";
import { Cluster } from "ioredis";
import { withDeadline } from "../../../platform/lib/deadline.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import type { Clock } from "../../../platform/redis/fitness/clock.ts";
import { loadDeclaringScript } from "../../../platform/redis/script.ts";
import type { ClaimEvents } from "./claim-backoff.ts";
import { Lease, type Leases } from "./lease.ts";
import { RedisClockWorker, type RedisClockWorkerOptions } from "./redis-clock-worker.ts";
import { ReportingJob } from "./reporting-job.ts";
import type { SlotShare, Slots } from "./slots.ts";

export interface ClaimingOptions {
  readonly leases: Leases;
  readonly slots: Slots;
  readonly lockMs: number;
  /** Called before the attempt. */
  readonly onClaimed: (jobId: string) => void;
  /** Called when an attempt has ended and its job is delayed. */
  readonly onDelayed: (jobId: string) => Promise<void>;
  readonly onRefused: (jobId: string, error: unknown) => void;
  readonly claims: ClaimEvents;
}

type AnyJob = Job<unknown, unknown, string>;
/** BullMQ claims the next job as it finishes this one. */
type NextJob = Awaited<ReturnType<Worker<unknown, unknown, string>["processJob"]>>;

/** Enough for most attempts that lost their lock, and short beside the shortest lock. */
const ENDS_WITHIN_MS = 100;
const DEFERRED_MS = 250;

/**
 * A BullMQ worker that runs one attempt of a job at a time, and surely stores how it ended.
 *
 * After a stall of this process a job can be claimed again while its older attempt is still ending here. BullMQ renews locks by
 * job id, so the end of the older attempt would stop the renewal for the newer one. So the newer one waits, a moment here and
 * then in the queue.
 */
export class ClaimingWorker extends RedisClockWorker {
  readonly #options: ClaimingOptions;
  readonly #client: RedisConnection;
  readonly #slots: SlotShare;

  constructor(
    queue: string,
    attempt: Processor<unknown, unknown, string>,
    workerOptions: RedisClockWorkerOptions,
    clock: Clock,
    options: ClaimingOptions,
  ) {
    super(queue, attempt, workerOptions, clock, options.claims);
    this.#options = options;
    this.#client = workerOptions.connection;
    this.#slots = options.slots.share();
  }

  /** A partition without a slot waits for one in place of a job: BullMQ's loop goes on meanwhile with those that it runs. */
  protected override async moveToActive(...args: Parameters<Worker["moveToActive"]>) {
    if (!this.#slots.take()) return await this.giveWay();
    let job: AnyJob | undefined;
    try {
      job = await super.moveToActive(...args);
      return job;
    } finally {
      if (job === undefined) this.#slots.release();
    }
  }

  /** Resolves when no attempt has run for so long: a claim that was under way can begin one. */
  async untilIdle(ms: number): Promise<void> {
    const { leases } = this.#options;
    do {
      await leases.allEnded();
      await pause(ms, undefined, { ref: false });
    } while (leases.jobIds().length > 0);
  }

  protected override async waitForSlot(seconds: number): Promise<boolean> {
    return await this.#slots.untilKept(seconds * 1_000);
  }

  override close(force?: boolean): Promise<void> {
    this.#slots.leave();
    return super.close(force);
  }

  protected override get Job(): typeof Job {
    return ReportingJob as typeof Job;
  }

  /** A job with unreadable fields runs without them and fails; otherwise it would be claimed and lost for ever. */
  protected override createJob(fields: JobJson, jobId: string): AnyJob {
    try {
      return super.createJob(fields, jobId);
    } catch {
      return super.createJob({ ...fields, data: "null", stacktrace: "[]", returnvalue: "null" }, jobId);
    }
  }

  /** In a cluster one by one, which works while it moves the queue's slot. @returns the jobs whose locks are lost */
  override async extendJobLocks(ids: string[], tokens: string[], ms: number): Promise<string[]> {
    if (!(this.#client instanceof Cluster)) return await super.extendJobLocks(ids, tokens, ms);
    const renewed = await Promise.all(ids.map((id, at) => this.#renewLock(id, tokens[at] ?? "", ms)));
    return ids.filter((_, at) => !renewed[at]);
  }

  #renewLock(id: string, token: string, ms: number): Promise<boolean> {
    return renewLock(this.#client, this.toKey(`${id}:lock`), token, ms);
  }

  override processJob(job: AnyJob, token: string, fetchNext?: () => boolean): Promise<NextJob> {
    const older = this.#options.leases.get(job.id ?? "");
    return older === undefined
      ? this.#process(job, token, fetchNext)
      : this.#processAfter(older, job, token, fetchNext);
  }

  async #processAfter(older: Lease, job: AnyJob, token: string, fetchNext?: () => boolean): Promise<NextJob> {
    // The job was claimed again, so the older attempt has lost its lock.
    older.lost();
    await withDeadline(older.ended(), ENDS_WITHIN_MS, () => new Error("still ending")).catch(() => {});
    return await this.#process(job, token, fetchNext);
  }

  #process(job: AnyJob, token: string, fetchNext?: () => boolean): Promise<NextJob> {
    const { leases, lockMs, onRefused } = this.#options;
    const id = job.id ?? "";
    const lease = leases.claim(id);
    const renewLock = (token: string) => this.#renewLock(id, token, lockMs);
    if (job instanceof ReportingJob)
      job.claimedBy({ lease: lease ?? new Lease(lockMs), lockMs, renewLock, onRefused });
    if (lease === undefined) return this.#defer(job, token).finally(() => this.#slots.release());
    return this.#attempt(job, token, fetchNext);
  }

  async #attempt(job: AnyJob, token: string, fetchNext = () => true): Promise<NextJob> {
    const { leases, onClaimed, onDelayed } = this.#options;
    const id = job.id ?? "";
    let keepsSlot = false;
    onClaimed(id);
    try {
      const next = await super.processJob(job, token, () => !this.#slots.isAwaited() && fetchNext());
      keepsSlot = next !== undefined;
      return next;
    } finally {
      leases.release(id);
      // For the next job.
      if (!keepsSlot) this.#slots.release();
      if (isDelayed(job)) await onDelayed(id);
    }
  }

  async #defer(job: AnyJob, token: string): Promise<undefined> {
    try {
      await job.moveToDelayed(Date.now() + DEFERRED_MS, token);
    } catch (error) {
      this.emit("error", error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function isDelayed({ finishedOn, delay }: AnyJob): boolean {
  return finishedOn === undefined && delay > 0;
}

const renewScript = loadDeclaringScript(import.meta.url, "renew-lock.lua");

/**
 * @param key the lock's
 * @param ms how long the lock lasts from now, in milliseconds
 * @returns whether the lock was this token's
 */
async function renewLock(client: RedisConnection, key: string, token: string, ms: number): Promise<boolean> {
  return (await renewScript.run(client, [key], [token, ms])) === 1;
}
