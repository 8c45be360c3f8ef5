import { setTimeout as pause } from "node:timers/promises";
import { type Job, type JobJson, type Processor, Worker } from "bullmq";
import { Cluster } from "ioredis";
import { withDeadline } from "../../../platform/lib/deadline.ts";
import { oneAtATime } from "../../../platform/lib/one-at-a-time.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import { integer } from "../../../platform/redis/reply-shape.ts";
import { loadDeclaringScript } from "../../../platform/redis/script.ts";
import { isTraced } from "../../../platform/telemetry/tracing.ts";
import { bullmqQueueName } from "../store/queue-keys.ts";
import { attemptTelemetry } from "./attempt-telemetry.ts";
import { ClaimBackoff } from "./claim-backoff.ts";
import { guardScripts, onRedisTime } from "./claim-scripts.ts";
import { type Consumed, type ConsumerPart, each } from "./consumer-part.ts";
import { Lease } from "./lease.ts";
import { ReportingJob } from "./reporting-job.ts";
import type { SlotShare } from "./slots.ts";

const renewScript = loadDeclaringScript(import.meta.url, "renew-lock.lua", integer);

type AnyJob = Job<unknown, unknown, string>;
/** BullMQ claims the next job as it finishes this one. */
type NextJob = Awaited<ReturnType<Worker<unknown, unknown, string>["processJob"]>>;

/** Enough for most attempts that lost their lock, and short beside the shortest lock. */
const ENDS_WITHIN_MS = 100;
const DEFERRED_MS = 250;

/** What BullMQ takes for a marker: it claims at once. */
const SLOT = { member: "0", score: 0 };
/** Seconds for which a claim waits, at the least, where the lock is short. */
const SHORTEST_BLOCK = 1;
/** Seconds beyond its block after which BullMQ gives up a claim that Redis has not answered, and one more to claim again. */
const ANSWER_MARGIN = 2;

/**
 * A BullMQ worker by Redis's clock, that runs one attempt of a job at a time, and surely stores how it ended.
 *
 * While this process's clock is wrong it claims nothing, since handlers use that clock, and while its encryption keys do not fit, or an
 * operator wants it quiet; it resumes by itself. While Redis refuses claims, it asks with a pause.
 *
 * After a stall of this process a job can be claimed again while its older attempt is still ending here. BullMQ renews locks by
 * job id, so the end of the older attempt would stop the renewal for the newer one. So the newer one waits, a moment here and
 * then in the queue.
 */
export class ClaimingWorker extends Worker<unknown, unknown, string> {
  readonly #consumed: Consumed;
  readonly #onClaim: readonly NonNullable<ConsumerPart["onClaim"]>[];
  readonly #onDelay: readonly NonNullable<ConsumerPart["onDelay"]>[];
  readonly #client: RedisConnection;
  readonly #slots: SlotShare;
  readonly #backoff: ClaimBackoff;
  /** In seconds. */
  readonly #longestBlock: number;
  readonly #stalledChecks: NodeJS.Timeout;
  /** Whether it has removed the marker that wakes a worker, and not claimed since: a claim writes it anew. */
  #hasMarker = false;

  constructor(
    consumed: Consumed,
    parts: readonly ConsumerPart[],
    attempt: Processor<unknown, unknown, string>,
  ) {
    const { store, slots, clock, keysInUse, quiet, log } = consumed;
    const options = workerOptions(consumed);
    super(bullmqQueueName(store.queue), attempt, options);
    this.#consumed = consumed;
    this.#onClaim = each(parts, "onClaim");
    this.#onDelay = each(parts, "onDelay");
    this.#client = store.client;
    this.#slots = slots.share();
    this.#backoff = new ClaimBackoff(store.queue, log);
    this.#longestBlock = Math.max(SHORTEST_BLOCK, options.lockDuration / 1_000 - ANSWER_MARGIN);
    const waitForJob = this.backend.waitForJob.bind(this.backend);
    this.backend.waitForJob = async (seconds) => {
      if (await this.#slots.untilKept(seconds * 1_000)) return SLOT;
      let marker: Awaited<ReturnType<typeof waitForJob>>;
      do marker = await this.#backoff.run(() => waitForJob(seconds));
      while (marker === null && (await this.#isEmpty()));
      if (marker !== null) this.#hasMarker = true;
      return marker;
    };
    const look = () => void (this.#mayClaim() ? this.#goOn() : this.pause(true));
    clock.onMeasure(look);
    keysInUse.onChange(look);
    quiet.onChange(look);
    const checkStalled = oneAtATime(() => this.#checkStalled());
    this.#stalledChecks = setInterval(() => void checkStalled(), options.stalledInterval);
    void checkStalled();
    this.run().catch((error: Error) => this.emit("error", error));
  }

  /** Whether a claim would find nothing, now or later: it costs eight commands. */
  async #isEmpty(): Promise<boolean> {
    if (this.closing !== undefined || this.isPaused() || this.#client.status !== "ready") return false;
    const names = ["wait", "prioritized", "delayed", "held:due"];
    const found = await this.#client.exists(...names.map((name) => this.toKey(name))).catch(() => undefined);
    return found === 0 && this.closing === undefined && !this.isPaused();
  }

  /** A partition without a slot waits for one in place of a job: BullMQ's loop goes on meanwhile with those that it runs. */
  protected override async moveToActive(...args: Parameters<Worker["moveToActive"]>) {
    if (!this.#slots.take()) return await this.#giveWay();
    let job: AnyJob | undefined;
    try {
      job = await this.#claim(args);
      return job;
    } finally {
      if (job === undefined) this.#slots.release();
    }
  }

  /** A paused worker still receives the job that it waited for before, and would claim it. */
  async #claim(args: Parameters<Worker["moveToActive"]>): Promise<AnyJob> {
    if (this.#mayClaim() && !this.isPaused()) return await this.#backoff.run(() => this.#moveToActive(args));
    const paused = this.#sitOut();
    this.#consumed.clock.look();
    return await paused;
  }

  async #moveToActive(args: Parameters<Worker["moveToActive"]>) {
    try {
      const job = await super.moveToActive(...args);
      this.#hasMarker = false;
      return job;
    } catch (error) {
      // Redis refuses scripts while it moves the queue's slot, or is full.
      await this.#wakeAnother().catch(() => {});
      throw error;
    }
  }

  /** Resolves when no attempt has run for `ms`: a claim that was under way can still begin one. */
  async untilIdle(ms: number): Promise<void> {
    const { leases } = this.#consumed;
    do {
      await leases.allEnded();
      await pause(ms, undefined, { ref: false });
    } while (leases.jobIds().length > 0);
  }

  override close(force?: boolean): Promise<void> {
    clearInterval(this.#stalledChecks);
    this.#slots.leave();
    return super.close(force);
  }

  /**
   * BullMQ would look at each resume, and not while it is paused: a partition pauses whenever it gives way to another, many times a
   * second.
   */
  async #checkStalled(): Promise<void> {
    // A retrying connection would keep the command until Redis is back; the next look comes soon.
    if (!this.#isFit() || this.#client.status !== "ready") return;
    try {
      // BullMQ's look costs seven commands, and finds nothing where no job runs, and none has.
      if ((await this.#client.exists(this.toKey("active"), this.toKey("stalled"))) === 0) return;
      for (const id of await this.backend.moveStalledJobsToWait()) this.emit("stalled", id, "active");
    } catch (error) {
      this.emit("error", error instanceof Error ? error : new Error(String(error)));
    }
  }

  #mayClaim(): boolean {
    return this.#isFit() && !this.#consumed.quiet.isQuiet();
  }

  #isFit(): boolean {
    const { clock, keysInUse } = this.#consumed;
    return clock.isRight() && keysInUse.fault() === undefined;
  }

  /** Claims nothing until it is resumed. */
  async #sitOut(): Promise<never> {
    await this.pause(true);
    await this.#wakeAnother();
    return undefined as never;
  }

  /** Claims nothing now, and then waits for a slot. */
  async #giveWay() {
    await this.#wakeAnother();
    // As after a claim that found no job.
    return await this.nextJobFromJobData();
  }

  async #wakeAnother(): Promise<void> {
    if (!this.#hasMarker) return;
    await this.#client.zadd(this.toKey("marker"), 0, "0");
    this.#hasMarker = false;
  }

  /**
   * A clock that is ahead would find the next delayed job due and poll without a pause. And a connection that a paused master does
   * not answer is given up 1 s after this time: within a lock's.
   */
  protected override getBlockTimeout(blockUntil: number): number {
    const seconds = super.getBlockTimeout(
      blockUntil > 0 ? blockUntil + this.#consumed.clock.offsetMs() : blockUntil,
    );
    return Math.min(seconds, this.#longestBlock);
  }

  async #goOn(): Promise<void> {
    if (this.isPaused()) await this.resume();
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

  /** @param ms how long the lock lasts from now, in milliseconds @returns whether the lock was this token's */
  async #renewLock(id: string, token: string, ms: number): Promise<boolean> {
    return (await renewScript.run(this.#client, [this.toKey(`${id}:lock`)], [token, ms])) === 1;
  }

  override processJob(job: AnyJob, token: string, fetchNext?: () => boolean): Promise<NextJob> {
    const older = this.#consumed.leases.get(job.id ?? "");
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
    const { leases, settings, store, log } = this.#consumed;
    const { HOLDFAST_LOCK_MS: lockMs } = settings;
    const id = job.id ?? "";
    const lease = leases.claim(id);
    const renewLock = (token: string) => this.#renewLock(id, token, lockMs);
    const onRefused = (error: unknown) =>
      log.warn(
        { queue: store.queue, jobId: id, reason: String(error) },
        "Redis refused to store how an attempt ended; sending it again",
      );
    if (job instanceof ReportingJob)
      job.claimedBy({ lease: lease ?? new Lease(lockMs), lockMs, renewLock, onRefused });
    if (lease === undefined) return this.#defer(job, token).finally(() => this.#slots.release());
    return this.#attempt(job, token, fetchNext);
  }

  async #attempt(job: AnyJob, token: string, fetchNext = () => true): Promise<NextJob> {
    const { leases } = this.#consumed;
    const id = job.id ?? "";
    let keepsSlot = false;
    let hasYielded = false;
    const goesOn = () => {
      hasYielded ||= this.#slots.yield();
      return !hasYielded && fetchNext();
    };
    for (const call of this.#onClaim) call(id);
    try {
      const next = await super.processJob(job, token, goesOn);
      keepsSlot = next !== undefined;
      return next;
    } finally {
      leases.release(id);
      // Otherwise it is kept for the next job.
      if (hasYielded) this.#slots.releaseYielded();
      else if (!keepsSlot) this.#slots.release();
      if (isDelayed(job)) for (const call of this.#onDelay) await call(id);
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

function workerOptions({ store, workerName, settings, slots }: Consumed) {
  const lockMs = settings.HOLDFAST_LOCK_MS;
  return {
    prefix: store.prefix,
    connection: onRedisTime(guardScripts(store.client)),
    autorun: false,
    skipStalledCheck: true,
    concurrency: slots.size,
    name: workerName,
    // Only where an SDK collects the spans: making them costs a short job much of its time.
    ...(isTraced() && { telemetry: attemptTelemetry() }),
    lockDuration: lockMs,
    // A dead worker's jobs are found within the lock's time and two of these.
    stalledInterval: Math.ceil(lockMs / 3),
    // After a failed command. The default of 15 s would be most of a recovery.
    runRetryDelay: 500,
    // The attempt itself bounds crashes, by job type.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    // The latest. Their age is up to others.
    removeOnComplete: { count: settings.HOLDFAST_KEEP_COMPLETED },
    removeOnFail: { count: settings.HOLDFAST_KEEP_FAILED },
  };
}

function isDelayed({ finishedOn, delay }: AnyJob): boolean {
  return finishedOn === undefined && delay > 0;
}
