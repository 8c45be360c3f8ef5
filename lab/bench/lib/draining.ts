import { setTimeout as sleep } from "node:timers/promises";
import { latencyOf } from "../../lib/statistics.ts";
import type { Contestant } from "./contestants.ts";
import type { Latency } from "./row.ts";
import { countSpending, type Spent } from "./spending.ts";
import type { ConnectedRedis } from "./store.ts";

const LOOK_EVERY_MS = 3;
const STUCK_MS = 30_000;
const FINISHED_LOOKED_AT = 5_000;

/** How many jobs are waiting, active, or about to be tried again. */
export async function remaining({ client }: ConnectedRedis, { keys }: Contestant): Promise<number> {
  const [waiting, active, delayed] = await Promise.all([
    client.llen(keys.waiting),
    client.llen(keys.active),
    keys.delayed === undefined ? 0 : client.zcard(keys.delayed),
  ]);
  return waiting + active + delayed;
}

/**
 * Times a worker from outside.
 *
 * @param from remaining jobs at which the clock starts; jobs before that are warm-up
 * @param to remaining jobs at which it stops
 * @param pid the worker's
 */
export async function timeDraining(
  store: ConnectedRedis,
  contestant: Contestant,
  { from, to, pid }: { readonly from: number; readonly to: number; readonly pid: number | undefined },
): Promise<{ readonly perSecond: number; readonly spent: Spent }> {
  const first = await untilAtMost(store, contestant, from);
  const endCount = await countSpending(store.client, pid);
  const last = await untilAtMost(store, contestant, to);
  const perSecond = (first.count - last.count) / ((last.at - first.at) / 1_000);
  return { perSecond, spent: await endCount(first.count - last.count) };
}

async function untilAtMost(store: ConnectedRedis, contestant: Contestant, count: number) {
  let lowest = Number.POSITIVE_INFINITY;
  for (let movedAt = performance.now(); ; ) {
    const now = await remaining(store, contestant);
    const at = performance.now();
    if (now <= count) return { count: now, at };
    if (now < lowest) {
      lowest = now;
      movedAt = at;
    } else if (at - movedAt > STUCK_MS) throw new Error(`${now} jobs remain, and none was done for 30 s`);
    await sleep(LOOK_EVERY_MS);
  }
}

/** From claim to finish of the last jobs, as BullMQ records them in whole milliseconds. */
export async function runningTimes(
  { client }: ConnectedRedis,
  { keys }: Contestant,
): Promise<Latency | undefined> {
  if (keys.completed === undefined) return undefined;
  const ids = await client.zrange(keys.completed, String(-FINISHED_LOOKED_AT), "-1");
  const prefix = keys.waiting.slice(0, -"wait".length);
  const times = await Promise.all(
    ids.map((id) => client.hmget(`${prefix}${id}`, "processedOn", "finishedOn")),
  );
  return latencyOf(times.map(([claimed, finished]) => Number(finished) - Number(claimed)));
}

/** Reasons to doubt that every job was completed. */
export async function faultsOfDrained(
  { client }: ConnectedRedis,
  { keys }: Contestant,
  kept: number,
): Promise<string[]> {
  if (keys.completed === undefined) return [];
  const completed = await client.zcard(keys.completed);
  const elsewhere = await Promise.all((keys.others ?? []).map((key) => client.zcard(key)));
  const doubts = keys.doubts === undefined ? 0 : await client.zcard(keys.doubts);
  const strayed = elsewhere.reduce((sum, count) => sum + count, 0);
  return [
    ...(doubts > 0 ? [`${doubts} effects are in doubt`] : []),
    ...(strayed > 0 ? [`${strayed} jobs failed or were put off`] : []),
    ...(completed === kept ? [] : [`${completed} completed jobs are kept, ${kept} should be`]),
  ];
}
