import type { Redis } from "ioredis";
import type { QueueKeys } from "../../src/core/bullmq/store/queue-keys.ts";
import { until } from "./until.ts";

type Entry = Readonly<Record<string, unknown>>;

async function readDoubts(redis: Redis, keys: QueueKeys) {
  const members = await redis.zrange(keys.doubts, 0, "-1");
  return await Promise.all(
    members.map(async (member) => {
      const cut = member.indexOf("/");
      const [ledger, field] = [keys.ledger(member.slice(0, cut)), `e:${member.slice(cut + 1)}`];
      const entry = JSON.parse((await redis.hget(ledger, field)) ?? "{}") as Entry;
      return { member, ledger, field, entry };
    }),
  );
}

/** Changes the entry of each effect in doubt that a queue lists. */
async function changeDoubts(redis: Redis, keys: QueueKeys, change: (entry: Entry) => Entry): Promise<void> {
  for (const { member, ledger, field, entry } of await readDoubts(redis, keys)) {
    const changed = change(entry);
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
  // The run reports by itself, a little later, that it is over; it would undo what is changed here.
  await until("the run has reported that it is over", async () => {
    const entries = await readDoubts(redis, keys);
    return entries.every(({ entry }) => entry.job !== jobId || entry.isOver === true);
  });
  await redis.zadd(keys.workersSeen, Date.now(), "paused-worker");
  await changeDoubts(redis, keys, ({ isOver, ...entry }) => {
    if (entry.job !== jobId) return { ...entry, isOver };
    return { ...entry, worker: "paused-worker" };
  });
}
