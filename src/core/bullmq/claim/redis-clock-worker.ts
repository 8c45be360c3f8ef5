import { type Processor, Worker, type WorkerOptions } from "bullmq";
import { Cluster } from "ioredis";
import { oneAtATime } from "../../../platform/lib/one-at-a-time.ts";
import { withOpenSlotGuard } from "../../../platform/redis/cluster/open-slot.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import type { KeysInUse } from "../../../platform/redis/encryption/keys-in-use.ts";
import type { Clock } from "../../../platform/redis/fitness/clock.ts";
import { ClaimBackoff, type ClaimEvents } from "./claim-backoff.ts";
import { withClaimPoint } from "./claim-scripts.ts";

type Process = Processor<unknown, unknown, string>;
export type RedisClockWorkerOptions = WorkerOptions & {
  readonly connection: RedisConnection;
  readonly keysInUse: KeysInUse;
  readonly lockDuration: number;
  readonly stalledInterval: number;
};

/** What BullMQ takes for a marker: it claims at once. */
const SLOT = { member: "0", score: 0 };
/** Seconds for which a claim waits, at the least, where the lock is short. */
const SHORTEST_BLOCK = 1;
/** Seconds after which BullMQ gives up a claim that Redis has not answered in time, and one more for the next. */
const ANSWER_MARGIN = 2;

/**
 * BullMQ's worker, by Redis's clock. While this process's clock is wrong it claims nothing, since handlers use that clock, and while
 * its encryption keys do not fit; it resumes by itself. While Redis refuses claims, it asks with a pause.
 */
export class RedisClockWorker extends Worker<unknown, unknown, string> {
  readonly #clock: Clock;
  readonly #keysInUse: KeysInUse;
  readonly #connection: RedisConnection;
  readonly #backoff: ClaimBackoff;
  /** In seconds. */
  readonly #longestBlock: number;
  readonly #stalledChecks: NodeJS.Timeout;
  /** Whether it has removed the marker that wakes a worker, and not claimed since: a claim writes it anew. */
  #hasMarker = false;

  constructor(
    name: string,
    attempt: Process,
    { keysInUse, ...options }: RedisClockWorkerOptions,
    clock: Clock,
    events: ClaimEvents,
  ) {
    super(name, attempt, {
      ...options,
      connection: onRedisTime(guardScripts(options.connection)),
      autorun: false,
      skipStalledCheck: true,
    });
    this.#clock = clock;
    this.#keysInUse = keysInUse;
    this.#connection = options.connection;
    this.#backoff = new ClaimBackoff(events);
    this.#longestBlock = Math.max(SHORTEST_BLOCK, options.lockDuration / 1_000 - ANSWER_MARGIN);
    const waitForJob = this.backend.waitForJob.bind(this.backend);
    this.backend.waitForJob = async (seconds) => {
      if (await this.waitForSlot(seconds)) return SLOT;
      const marker = await this.#backoff.run(() => waitForJob(seconds));
      if (marker !== null) this.#hasMarker = true;
      return marker;
    };
    const look = () => void (this.#mayClaim() ? this.#goOn() : this.pause(true));
    clock.onMeasure(look);
    keysInUse.onChange(look);
    const checkStalled = oneAtATime(() => this.#checkStalled());
    this.#stalledChecks = setInterval(() => void checkStalled(), options.stalledInterval);
    void checkStalled();
    this.run().catch((error: Error) => this.emit("error", error));
  }

  /** A paused worker still receives the job that it waited for before, and would claim it. */
  protected override async moveToActive(...args: Parameters<Worker["moveToActive"]>) {
    if (this.#mayClaim() && !this.isPaused()) return await this.#backoff.run(() => this.#claim(args));
    const paused = this.#sitOut();
    this.#clock.look();
    return await paused;
  }

  override close(force?: boolean): Promise<void> {
    clearInterval(this.#stalledChecks);
    return super.close(force);
  }

  /**
   * BullMQ would look at each resume, and not while it is paused: a partition pauses whenever it gives way to another, many times a
   * second.
   */
  async #checkStalled(): Promise<void> {
    // A retrying connection would keep the command until Redis is back; the next look comes soon.
    if (!this.#mayClaim() || this.#connection.status !== "ready") return;
    try {
      for (const id of await this.backend.moveStalledJobsToWait()) this.emit("stalled", id, "active");
    } catch (error) {
      this.emit("error", error instanceof Error ? error : new Error(String(error)));
    }
  }

  #mayClaim(): boolean {
    return this.#clock.isRight() && this.#keysInUse.fault() === undefined;
  }

  /** Claims nothing until it is resumed. */
  async #sitOut(): Promise<never> {
    await this.pause(true);
    await this.#wakeAnother();
    return undefined as never;
  }

  /** Claims nothing now, and then waits for a slot. */
  protected async giveWay() {
    await this.#wakeAnother();
    // As after a claim that found no job.
    return await this.nextJobFromJobData();
  }

  /** Waits for a slot, where it needs one. @returns whether it did */
  protected async waitForSlot(_seconds: number): Promise<boolean> {
    return false;
  }

  async #claim(args: Parameters<Worker["moveToActive"]>) {
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

  async #wakeAnother(): Promise<void> {
    if (!this.#hasMarker) return;
    await this.#connection.zadd(this.toKey("marker"), 0, "0");
    this.#hasMarker = false;
  }

  /**
   * A clock that is ahead would find the next delayed job due and poll without a pause. And a connection that a paused master does
   * not answer is given up 1 s after this time: within a lock's.
   */
  protected override getBlockTimeout(blockUntil: number): number {
    const seconds = super.getBlockTimeout(blockUntil > 0 ? blockUntil + this.#clock.offsetMs() : blockUntil);
    return Math.min(seconds, this.#longestBlock);
  }

  async #goOn(): Promise<void> {
    if (this.isPaused()) await this.resume();
  }
}

/**
 * BullMQ's scripts that use a worker's `Date.now()`, which they get as ARGV[2]: to trim kept jobs by age, to make delayed ones
 * ready, and to store when a job was claimed and finished.
 */
const timed = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

const REDIS_TIME =
  'do local t = redis.call("TIME") ARGV[2] = t[1] .. string.sub("00000" .. t[2], -6, -4) end\n';

/** All workers of a process share its connection. */
const onTime = new WeakSet<RedisConnection>();

/**
 * Makes BullMQ's scripts on this connection use Redis's clock, so that a wrong clock deletes no kept job and runs no delayed one early;
 * and lets features hold back the jobs that they claim.
 */
export function onRedisTime(client: RedisConnection): RedisConnection {
  if (onTime.has(client)) return client;
  onTime.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    // BullMQ defines them as `moveToActive:6.7.0`.
    const [script = ""] = name.split(":");
    const isTimed = timed.includes(script);
    define(
      name,
      isTimed ? { ...definition, lua: REDIS_TIME + withClaimPoint(script, definition.lua) } : definition,
    );
  };
  return client;
}

/** All workers of a process share its connection. */
const guarded = new WeakSet<RedisConnection>();

/** Makes a cluster refuse BullMQ's scripts on this connection while their slot is moving: they touch keys that they are not given. */
function guardScripts(client: RedisConnection): RedisConnection {
  if (!(client instanceof Cluster) || guarded.has(client)) return client;
  guarded.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    const count = definition.numberOfKeys ?? 0;
    const inner = `${name}:guarded`;
    define(inner, { ...definition, numberOfKeys: count + 1 });
    const run: (args: readonly string[]) => unknown = Reflect.get(client, inner);
    // BullMQ calls its scripts with one list: the keys, then the other arguments.
    const runGuarded = (args: readonly string[]) =>
      run.call(client, [...withOpenSlotGuard(client, args.slice(0, count)), ...args.slice(count)]);
    Reflect.set(client, name, runGuarded);
  };
  return client;
}
