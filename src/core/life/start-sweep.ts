import { Cluster } from "ioredis";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { integer, listOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ConsumedPartition } from "../feature.ts";

const script = loadScript(import.meta.url, "due-sweeps.lua", listOf(integer));

export interface SweepOptions {
  readonly everyMs: number;
  /** Swept only while one of them gives something to do. @default always */
  readonly due?: readonly DueKey[];
}

/** What a sweep looks after. */
export type SweptPartition = Pick<ConsumedPartition, "store" | "log">;

/**
 * Sweeps a queue again and again: a sweep does what no single step can, since a process can die between any two. There is no leader:
 * every worker of the queue sweeps, and the sweep's script decides.
 *
 * @param partition one object for all sweeps of a partition. Those of one Redis ask together whether anything is due
 * @param sweep gets whether its next step may be sent
 */
export function startSweep(
  partition: SweptPartition,
  { everyMs, due }: SweepOptions,
  sweep: (mayGoOn: () => boolean) => Promise<unknown>,
): Running {
  const { client, queue } = partition.store;
  const watch = due && dueKeysOf(partition).watch(due);
  let isStopping = false;
  // A retrying connection would keep the command until Redis is back; the next sweep comes soon.
  const mayGoOn = () => !isStopping && client.status === "ready";
  const sweepOnce = oneAtATime(async () => {
    if (mayGoOn() && (watch === undefined || (await watch.isDue()))) await sweep(mayGoOn);
  });
  const timer = setInterval(() => {
    sweepOnce().catch((error: unknown) =>
      partition.log.debug({ queue, reason: String(error) }, "sweep failed"),
    );
  }, everyMs);
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      clearInterval(timer);
      watch?.end();
    }),
  };
}

/** Bounds what a sweep takes of Redis's time, however much is due. */
const ROUNDS_MAX = 10;

/** Repeats a step of a sweep while it finds as much as it may look at. @param step returns whether it did */
export async function inRounds(mayGoOn: () => boolean, step: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX && mayGoOn() && (await step()); round += 1);
}

/** When a key gives a sweep something to do. */
interface DueKey {
  readonly key: string;
  /** A sorted set's first score, in milliseconds since 1970, must be so many milliseconds ago. @default any entry will do */
  readonly afterMs?: number;
}

/** Sweeps that do not ask at the very same moment share an answer. */
const SHARED_MS = 200;
/** Where the last look has found nothing to sweep, and nothing that comes due before. A little less than two looks of a sweep. */
const QUIET_MS = 1_700;
/** Redis's clock may be set. */
const ASKED_AGAIN_MS = 60_000;
/** Redis passes on no more of them at once than some thousands. */
const KEYS_MAX = 500;

interface WatchedKey extends Pick<DueKey, "key"> {
  readonly after: number | "any";
  isThere: boolean;
  isDue: boolean;
  /** What is in it now gives nothing to do before then. By this process's monotonic clock, in milliseconds. */
  dueAt: number;
  /** Until then it gives nothing to do, whatever comes into it. */
  quietUntil: number;
}

/** Watches keys of one Redis, in a cluster of one partition. Asks Redis once for all sweeps of a second. */
class DueKeys {
  readonly #client: RedisConnection;
  readonly #watched = new Set<WatchedKey>();
  readonly #ask = oneAtATime(() => this.#askAll());
  #askedAt = Number.NEGATIVE_INFINITY;
  #isQuiet = false;

  constructor(client: RedisConnection) {
    this.#client = client;
  }

  /** @returns whether any of the keys may give a sweep something to do now; and a function that ends the watch */
  watch(keys: readonly DueKey[]): { isDue: () => Promise<boolean>; end: () => void } {
    const own = keys.map(
      ({ key, afterMs }): WatchedKey => ({
        ...{ key, after: afterMs ?? "any" },
        ...{ isThere: false, isDue: false, dueAt: 0, quietUntil: 0 },
      }),
    );
    for (const key of own) this.#watched.add(key);
    return {
      isDue: async () => {
        await this.#look();
        return own.some(({ isDue }) => isDue);
      },
      end: () => {
        for (const key of own) this.#watched.delete(key);
      },
    };
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#askedAt > (this.#isQuiet ? QUIET_MS : SHARED_MS)) await this.#ask();
  }

  async #askAll(): Promise<void> {
    const startedAt = performance.now();
    const asked = [...this.#watched].filter(({ quietUntil }) => quietUntil <= startedAt);
    const there = asked.filter(({ isThere }) => isThere);
    const ordered = [...there, ...asked.filter(({ isThere }) => !isThere)];
    for (let from = 0; from < ordered.length; from += KEYS_MAX) {
      const some = ordered.slice(from, from + KEYS_MAX);
      const args = [some.filter(({ isThere }) => isThere).length, ...some.map(({ after }) => after)];
      const keys = some.map(({ key }) => key);
      const reply = await script.run(this.#client, keys, args);
      for (const [at, key] of some.entries()) note(key, reply[at] ?? ABSENT, startedAt);
    }
    this.#askedAt = startedAt;
    this.#isQuiet = [...this.#watched].every(
      ({ isThere, dueAt }) => !isThere || dueAt > startedAt + QUIET_MS,
    );
  }
}

const ABSENT = -1;

/** @param reply of the script */
function note(key: WatchedKey, reply: number, askedAt: number): void {
  key.isThere = reply !== ABSENT;
  key.isDue = reply === 0;
  key.dueAt = askedAt + Math.max(0, reply);
  // What comes into a set later is due as much later.
  const quietMs = key.after === "any" ? 0 : Math.min(Math.max(0, reply), key.after, ASKED_AGAIN_MS);
  key.quietUntil = askedAt + quietMs;
}

const ofRedis = new WeakMap<RedisConnection, DueKeys>();
const ofPartition = new WeakMap<SweptPartition, DueKeys>();

function dueKeysOf(partition: SweptPartition): DueKeys {
  const { client } = partition.store;
  return client instanceof Cluster
    ? known(ofPartition, partition, () => new DueKeys(client))
    : known(ofRedis, client, () => new DueKeys(client));
}

function known<Key extends object, Value>(map: WeakMap<Key, Value>, key: Key, open: () => Value): Value {
  const found = map.get(key) ?? open();
  map.set(key, found);
  return found;
}
