import type { QueueLimits } from "../../core/job/application.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { stopOnce } from "../../platform/lib/running.ts";
import { openConnection, type RedisConnection, whenReady } from "../../platform/redis/connection.ts";
import { inTime, START_DEADLINE_MS } from "../../platform/redis/redis-errors.ts";
import { integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** Where jobs wait that no worker has claimed. `paused`: those of a paused queue, before BullMQ 6. */
export const places = ["delayed", "prioritized", "wait", "paused"] as const;
export type BullmqState = (typeof places)[number];

/** A job of a BullMQ queue, as it was added. Instants are milliseconds since 1970. */
export interface ImportableJob {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly data: string;
  /** When it was added. */
  readonly timestamp: string;
  /** 0 for none. */
  readonly priority: number;
  /** From when it may run; undefined for now. */
  readonly dueAt: number | undefined;
}

/** `child` and `parent` of a flow; `scheduled`: its scheduler needs it to go on; `gone`: it is no longer there. */
export type Kind = "job" | "child" | "parent" | "scheduled" | "gone";

/** A job scheduler, by the fields that BullMQ stores. */
export interface BullmqScheduler {
  readonly id: string;
  /** When its next job may run. */
  readonly nextRun: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** What was withdrawn from the queue, and is kept in its Redis until Holdfast has accepted it. */
export interface Withdrawn<T> {
  readonly id: string;
  /** As which type it was withdrawn. */
  readonly type: string;
  /** For how many milliseconds it has been withdrawn, by its Redis's clock. */
  readonly ageMs: number;
  /** Undefined where Holdfast has accepted it already. */
  readonly item: T | undefined;
}

/** How many jobs are where. `withdrawn`: by an import that was interrupted. */
export type Counts = Readonly<
  Record<BullmqState | "active" | "waiting-children" | "schedulers" | "withdrawn", number>
>;

/** A queue of BullMQ 4, 5 or 6, to import jobs from. Each call fails with `STORE_UNAVAILABLE` if its Redis does not answer in time. */
export type BullmqQueue = Awaited<ReturnType<typeof openBullmqQueue>>;

const scripts = {
  readJobs: loadScript(import.meta.url, "read-jobs.lua", listOf(listOf(text))),
  withdrawJobs: loadScript(import.meta.url, "withdraw-jobs.lua", listOf(text)),
  readWithdrawn: loadScript(
    import.meta.url,
    "read-withdrawn.lua",
    listOf(tuple(text, integer, text, listOf(text))),
  ),
  withdrawScheduler: loadScript(import.meta.url, "withdraw-scheduler.lua", integer),
};

/**
 * Connects to a BullMQ queue.
 *
 * @param url of its Redis, as `REDIS_URL`
 * @param start what all of its keys begin with: prefix, name, and a colon after each
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s
 */
export async function openBullmqQueue(url: string, start: string) {
  const client = openConnection(url, "fail-fast", () => {});
  const stop = stopOnce(async () => client.disconnect());
  try {
    await whenReady(client, START_DEADLINE_MS);
  } catch (cause) {
    await stop();
    throw new HoldfastError("STORE_UNAVAILABLE", "The queue's Redis cannot be reached", { cause });
  }
  return { ...openJobs(client, start), ...openSchedulers(client, start), stop };
}

function openJobs(client: RedisConnection, start: string) {
  const key = (name: string) => `${start}${name}`;
  const aside = key("holdfast:jobs");
  const asideStart = key("holdfast:job:");
  const sizeOf = (place: BullmqState) => (isList(place) ? client.llen(key(place)) : client.zcard(key(place)));
  return {
    /** Whether BullMQ has ever had a queue of this name. */
    exists: async () => (await inTime(client.exists(key("meta")))) === 1,
    isPaused: async () => (await inTime(client.hexists(key("meta"), "paused"))) === 1,
    /** Of all of its workers together, as `setGlobalConcurrency` and `setGlobalRateLimit` store them. */
    limits: async () => limitsIn(await inTime(client.hmget(key("meta"), "concurrency", "max", "duration"))),
    counts: (): Promise<Counts> =>
      inTime(
        entriesOf({
          delayed: sizeOf("delayed"),
          prioritized: sizeOf("prioritized"),
          wait: sizeOf("wait"),
          paused: sizeOf("paused"),
          active: client.llen(key("active")),
          "waiting-children": client.zcard(key("waiting-children")),
          schedulers: client.zcard(key("repeat")),
          withdrawn: client.hlen(aside),
        }),
      ),
    /** Those first that are claimed first. @param skip how many of them to leave out */
    ids: (place: BullmqState, skip: number, count: number) =>
      inTime(idsIn(client, key(place), place, skip, count)),
    namesOf: async (ids: readonly string[]) => {
      const names = await inTime(Promise.all(ids.map((id) => client.hget(key(id), "name"))));
      return names.filter((name) => name !== null);
    },
    read: async (ids: readonly string[]): Promise<(ImportableJob & { readonly kind: Kind })[]> => {
      const keys = [key("delayed"), key("repeat")];
      const found = await inTime(scripts.readJobs.run(client, keys, [start, ...ids]));
      return ids.map((id, index) => {
        const [kind = "gone", name = "", data = "", timestamp = "", priority, due] = found[index] ?? [];
        const dueAt = due ? Number(due) : undefined;
        return { id, kind: kind as Kind, name, data, timestamp, priority: Number(priority), dueAt };
      });
    },
    /** Keeps jobs that still wait, in one step, under names of ours. @param skip how many come before them in their place */
    withdraw: async (ids: readonly string[], type: string, skip: number) => {
      const keys = [...places.map(key), key("repeat"), key("events"), aside];
      return await inTime(
        scripts.withdrawJobs.run(client, keys, [start, type, skip + ids.length + LOOKED_FURTHER, ...ids]),
      );
    },
    /** @param ids @default all */
    withdrawn: async (ids?: readonly string[]) => {
      const wanted = ids ?? (await inTime(client.hkeys(aside)));
      return await readWithdrawn(client, aside, asideStart, wanted, withdrawnJob);
    },
    forget: async (ids: readonly string[]) => {
      if (ids.length === 0) return;
      // In this order: what is withdrawn without a hash was accepted.
      await inTime(client.del(ids.map((id) => asideStart + id)));
      await inTime(client.hdel(aside, ...ids));
    },
  };
}

function limitsIn(stored: readonly (string | null)[]): QueueLimits {
  const [concurrency, max, perMs] = stored.map((text) => Math.floor(Number(text)));
  return {
    ...(isLimit(concurrency) && { concurrency }),
    ...(isLimit(max) && isLimit(perMs) && { rate: { count: max, perMs } }),
  };
}

function isLimit(count: number | undefined): count is number {
  return count !== undefined && count >= 1;
}

/** Jobs may come to the front meanwhile. */
const LOOKED_FURTHER = 1_000;

function isList(place: BullmqState): boolean {
  return place === "wait" || place === "paused";
}

/** BullMQ adds to the front of its lists, and claims from their ends. */
async function idsIn(client: RedisConnection, key: string, place: BullmqState, skip: number, count: number) {
  if (!isList(place)) return await client.zrange(key, String(skip), String(skip + count - 1));
  return (await client.lrange(key, String(-skip - count), String(-skip - 1))).reverse();
}

function openSchedulers(client: RedisConnection, start: string) {
  const key = `${start}repeat`;
  const aside = `${start}holdfast:schedulers`;
  const asideStart = `${start}holdfast:scheduler:`;
  return {
    schedulers: async (): Promise<BullmqScheduler[]> => {
      const ids = await inTime(client.zrange(key, "0", "-1"));
      const read = async (id: string) => {
        const [nextRun, fields] = await inTime(
          Promise.all([client.zscore(key, id), client.hgetall(`${key}:${id}`)]),
        );
        return { id, nextRun: Number(nextRun), fields };
      };
      return await Promise.all(ids.map(read));
    },
    /** The job of its next run stays. @returns false if it is not there */
    withdrawScheduler: async (id: string, type: string) =>
      (await inTime(scripts.withdrawScheduler.run(client, [key, aside], [start, type, id]))) === 1,
    withdrawnSchedulers: async () =>
      await readWithdrawn(client, aside, asideStart, await inTime(client.hkeys(aside)), withdrawnScheduler),
    forgetScheduler: async (id: string) => {
      await inTime(client.del(asideStart + id));
      await inTime(client.hdel(aside, id));
    },
  };
}

const READ_AT_ONCE = 100;

type Fields = Readonly<Record<string, string>>;

/** @param itemOf makes it of its id, the number that was kept with it, and its hash */
async function readWithdrawn<T>(
  client: RedisConnection,
  aside: string,
  asideStart: string,
  ids: readonly string[],
  itemOf: (id: string, at: number, fields: Fields) => T,
): Promise<Withdrawn<T>[]> {
  const all: Withdrawn<T>[] = [];
  for (let from = 0; from < ids.length; from += READ_AT_ONCE) {
    const args = [asideStart, ...ids.slice(from, from + READ_AT_ONCE)];
    const found = await inTime(scripts.readWithdrawn.run(client, [aside], args));
    for (const [id, ageMs, rest, flat] of found) {
      const [at = "", type = ""] = rest.split(" ");
      const item = flat.length === 0 ? undefined : itemOf(id, Number(at), pairsOf(flat));
      all.push({ id, type, ageMs, item });
    }
  }
  return all;
}

function pairsOf(flat: readonly string[]): Fields {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? "", flat[2 * at + 1] ?? ""]),
  );
}

function withdrawnJob(
  id: string,
  due: number,
  { name = "", data = "", timestamp = "", priority }: Fields,
): ImportableJob {
  return { id, name, data, timestamp, priority: Number(priority ?? 0), dueAt: due === 0 ? undefined : due };
}

function withdrawnScheduler(id: string, nextRun: number, fields: Fields): BullmqScheduler {
  return { id, nextRun, fields };
}

async function entriesOf<K extends string>(work: Record<K, Promise<number>>): Promise<Record<K, number>> {
  const entries = Object.entries<Promise<number>>(work).map(async ([name, count]) => [name, await count]);
  return Object.fromEntries(await Promise.all(entries)) as Record<K, number>;
}
