import type { Redis } from "ioredis";
import type { QueueKeys } from "../../src/core/bullmq/store/queue-keys.ts";

type Entry = Readonly<Record<string, unknown>>;

/** Changes the entry of each effect in doubt that a queue lists. */
async function changeDoubts(
  redis: Redis,
  keys: QueueKeys,
  change: (entry: Entry, member: string) => Entry,
): Promise<void> {
  for (const member of await redis.zrange(keys.doubts, 0, "-1")) {
    const cut = member.indexOf("/");
    const [ledger, field] = [keys.ledger(member.slice(0, cut)), `e:${member.slice(cut + 1)}`];
    const changed = change(JSON.parse((await redis.hget(ledger, field)) ?? "{}") as Entry, member);
    await redis.hset(ledger, field, JSON.stringify(changed));
    await redis.zadd(keys.doubts, Number(changed.at), member);
  }
}

/** Lets the doubts of a queue have begun so many milliseconds earlier. */
export async function ageDoubts(redis: Redis, keys: QueueKeys, ms: number): Promise<void> {
  await changeDoubts(redis, keys, (entry) => ({ ...entry, at: Number(entry.at) - ms }));
}

/** Lets the doubts of a job look as a worker leaves them that is paused in the middle of its effect. */
export async function pauseWorkerOf(redis: Redis, keys: QueueKeys, jobId: string): Promise<void> {
  await redis.zadd(keys.workersSeen, Date.now(), "paused-worker");
  await changeDoubts(redis, keys, ({ isOver, ...entry }) => {
    if (entry.job !== jobId) return { ...entry, isOver };
    return { ...entry, worker: "paused-worker" };
  });
}
