import type { Partitions } from "../../core/bullmq/queue-control.ts";
import { setLayout } from "../../core/bullmq/store/epochs.ts";
import { type Layout, parseLayout, partitionNames, partitionOf } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import { queueOfHolder, queueOfId } from "../../core/job/job-id.ts";
import { readKey } from "../../core/status/read-keys.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type RedisConnection, serversOf } from "../../platform/redis/connection.ts";
import { readType } from "../jobs/job-record.ts";
import { readBacklog } from "../overview/read-backlog.ts";
import { changedLayout, readLayout } from "./layouts.ts";
import { carryControl } from "./queue-control.ts";

export interface Division {
  readonly before: Layout;
  readonly after: Layout;
  /** Why earlier partitions are not forgotten yet; undefined if they are, or if there are none. */
  readonly still: string | undefined;
}

/** Each earlier number is looked at with every submission. */
const FORMER_MAX = 4;

/**
 * Gives a queue another number of partitions, under load: every process follows within a second, keys that were used before are
 * found where they were, and jobs stay where they are. Given the present number, it forgets the earlier ones if nothing needs them
 * any more. A call that was cut off is completed by the next one, or by the processes themselves.
 *
 * @throws HoldfastError `PARTITIONS_REFUSED` while too many earlier numbers are remembered
 */
export async function divideQueue(
  stores: QueueStores,
  prefix: string,
  queue: string,
  partitions: number,
): Promise<Division> {
  const { client } = stores;
  const found = await readLayout(client, prefix, queue);
  const before = parseLayout(found);
  if (before.partitions === partitions) return await forgetEarlier(stores, prefix, { queue, found });
  const layout = changedLayout(found, partitions);
  const after = parseLayout(layout);
  if (after.former.length > FORMER_MAX) throw tooManyEarlier(queue, before);
  await carryControl(partitionsOf(stores, queue, before), partitionsOf(stores, queue, after));
  await writeEverywhere(client, prefix, { queue, found, layout });
  return { before, after, still: undefined };
}

function partitionsOf(stores: QueueStores, queue: string, layout: Layout): Partitions {
  const [, ...others] = partitionNames(queue, layout);
  return [stores.of(queue), ...others.map(stores.of)];
}

interface Change {
  readonly queue: string;
  readonly found: string;
  readonly layout: string;
}

/** The first partition decides; the others may also be written by whoever notices that they differ. */
async function writeEverywhere(client: RedisConnection, prefix: string, change: Change): Promise<void> {
  const { queue, found, layout } = change;
  const stands = await setLayout(client, prefix, { partition: queue, found, layout });
  if (stands !== layout)
    throw new HoldfastError(
      "PARTITIONS_REFUSED",
      `Somebody else has just changed the partitions of ${queue}`,
    );
  const names = new Set([found, layout].flatMap((text) => partitionNames(queue, parseLayout(text))));
  const others = [...names].filter((name) => name !== queue);
  await Promise.all(
    others.map(async (partition) => {
      const there = await readLayout(client, prefix, partition);
      await setLayout(client, prefix, { partition, found: there, layout });
    }),
  );
}

async function forgetEarlier(
  stores: QueueStores,
  prefix: string,
  { queue, found }: Omit<Change, "layout">,
): Promise<Division> {
  const before = parseLayout(found);
  if (before.former.length === 0) return { before, after: before, still: undefined };
  const partitions = partitionNames(queue, before).map(stores.of);
  const still =
    (await leftJobs(partitions.slice(before.partitions))) ??
    (await neededKeys(stores, prefix, queue, before.partitions));
  if (still !== undefined) return { before, after: before, still };
  const layout = String(before.partitions);
  await writeEverywhere(stores.client, prefix, { queue, found, layout });
  return { before, after: parseLayout(layout), still };
}

/** Jobs and doubts in partitions that the queue no longer has. */
async function leftJobs(retired: readonly QueueStore[]): Promise<string | undefined> {
  const backlogs = await Promise.all(retired.map(readBacklog));
  const left = backlogs.map(({ jobs, doubts }) => {
    const { completed, ...others } = jobs;
    return Object.values(others).reduce((sum, count) => sum + count, doubts);
  });
  const at = left.findIndex((count) => count > 0);
  const name = retired[at]?.queue;
  return name === undefined ? undefined : `${left[at]} jobs or doubts are left in ${name}`;
}

/** Whether any key, ledger or job of one stands where it would no longer be looked for. A scan meets a job whatever state it moves to. */
async function neededKeys(
  stores: QueueStores,
  prefix: string,
  queue: string,
  partitions: number,
): Promise<string | undefined> {
  const shape = new RegExp(`^${prefix}:\\{(${queue}(?:\\.\\d+)?)\\}:(?:(de|ledger):)?([^:]+)$`);
  const match = `${prefix}:{${queue}*`;
  let job: string | undefined;
  for (const server of serversOf(stores.client)) {
    for await (const names of server.scanStream({ match, count: 1_000 })) {
      const found = (names as string[]).map((name) => shape.exec(name)).filter((key) => key !== null);
      const isHere = (partition: string) => (dedupKey: string) =>
        partitionOf(queue, partitions, dedupKey) === partition;
      const keys = found.filter(
        ([, partition = "", kind, key = ""]) => kind !== undefined && !isHere(partition)(key),
      );
      for (const [, partition = "", kind, key = ""] of keys)
        if (kind === "ledger" || (await isHolderOf(stores.of(partition), key)))
          return `keys that were used before are remembered in ${partition}`;
      // One needed job is enough, but a key outranks it, so the scan goes on.
      if (job !== undefined) continue;
      const jobs = found.filter(([, , kind]) => kind === undefined);
      const needed = jobs.map(([, partition = "", , id = ""]) =>
        neededJob(stores.of(partition), id, isHere(partition)),
      );
      job = (await Promise.all(needed)).find((why) => why !== undefined);
    }
  }
  return job;
}

/** Whether the queue itself has the key's job: elsewhere it only points there. */
async function isHolderOf({ client, keys, queue }: QueueStore, dedupKey: string): Promise<boolean> {
  return queueOfHolder((await client.get(keys.dedupKey(dedupKey))) ?? "") === queue;
}

/**
 * Returns why a job is needed: one that waits, runs or can be retried may yet begin its effects. It can outlive its key, and then another job has that key elsewhere.
 *
 * @param isHere whether the key belongs here
 */
async function neededJob(
  store: QueueStore,
  id: string,
  isHere: (dedupKey: string) => boolean,
): Promise<string | undefined> {
  const { client, keys, queue } = store;
  if (queueOfId(id) !== queue) return undefined;
  if ((await client.zscore(keys.completed, id)) !== null) return undefined;
  const [type, found] = await Promise.all([readType(store, id), readKey(store, id)]);
  if (type === null || found === undefined) return undefined;
  // One that cannot be read counts as needed.
  if (found.key !== undefined && isHere(dedupKeyOf(type, found.key))) return undefined;
  return `jobs whose keys belong elsewhere are left in ${queue}, such as ${id}`;
}

function tooManyEarlier(queue: string, { partitions, former }: Layout): HoldfastError {
  const numbers = [...former, partitions].join(", then ");
  return new HoldfastError(
    "PARTITIONS_REFUSED",
    `${queue} had ${numbers} partitions, and keys of all these times are remembered. Forget the earlier ones first: ` +
      `holdfast queues partition ${queue} ${partitions}, once HOLDFAST_RETENTION_MS has passed`,
  );
}
