import type { ConsumedPartition } from "../../core/feature.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { integer, listOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

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
 * @param partition one object for all sweeps of a partition: they ask together whether anything is due
 * @param sweep gets whether its next step may be sent
 */
export function startSweep(
  partition: SweptPartition,
  { everyMs, due }: SweepOptions,
  sweep: (mayGoOn: () => boolean) => Promise<unknown>,
): Running {
  const { client, queue } = partition.store;
  const isDue = due && watchDue(partition, due);
  let isStopping = false;
  // A retrying connection would keep the command until Redis is back; the next sweep comes soon.
  const mayGoOn = () => !isStopping && client.status === "ready";
  const sweepOnce = oneAtATime(async () => {
    if (mayGoOn() && (isDue === undefined || (await isDue()))) await sweep(mayGoOn);
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

/** Sweeps of one second that do not ask at the very same moment share an answer. */
const SHARED_MS = 200;

interface WatchedKey extends Pick<DueKey, "key"> {
  readonly after: number | "any";
  /** What the last look has found. */
  state: "due" | "there" | "absent";
}

interface DueSweeps {
  readonly watched: WatchedKey[];
  readonly look: () => Promise<void>;
}

const partitions = new WeakMap<SweptPartition, DueSweeps>();

/**
 * Watches keys of a partition. Asks Redis once for all sweeps of a second: while there is nothing, a queue costs one script and one command a second.
 *
 * @returns a function that returns whether any of the keys may give a sweep something to do now
 */
function watchDue(partition: SweptPartition, keys: readonly DueKey[]): () => Promise<boolean> {
  const { watched, look } = partitions.get(partition) ?? openDueSweeps(partition);
  const own = keys.map(({ key, afterMs }): WatchedKey => ({ key, after: afterMs ?? "any", state: "absent" }));
  watched.push(...own);
  return async () => {
    await look();
    return own.some(({ state }) => state === "due");
  };
}

function stateOf(reply: number | undefined): WatchedKey["state"] {
  if (reply === 1) return "due";
  return reply === 0 ? "there" : "absent";
}

function openDueSweeps(partition: SweptPartition): DueSweeps {
  const watched: WatchedKey[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  const ask = oneAtATime(async () => {
    const startedAt = performance.now();
    const found = watched.filter(({ state }) => state !== "absent");
    const asked = [...found, ...watched.filter(({ state }) => state === "absent")];
    const args = [found.length, ...asked.map(({ after }) => after)];
    const keys = asked.map(({ key }) => key);
    const reply = await script.run(partition.store.client, keys, args);
    for (const [index, key] of asked.entries()) key.state = stateOf(reply[index]);
    askedAt = startedAt;
  });
  const opened: DueSweeps = {
    watched,
    async look() {
      if (performance.now() - askedAt > SHARED_MS) await ask();
    },
  };
  partitions.set(partition, opened);
  return opened;
}
