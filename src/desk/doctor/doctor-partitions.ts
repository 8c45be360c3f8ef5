import { Cluster } from "ioredis";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { type Finding, finding, findings, ok } from "../../platform/errors/finding.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { counted } from "../counted.ts";

/** Checks each queue that has partitions, or should have: how many there are, and which of them share a master. */
export async function diagnosePartitions(
  { queues, queueSettings }: Application,
  stores: QueueStores,
): Promise<Finding[]> {
  const found = queues.flatMap((queue) => [
    declaration(queue, queueSettings.get(queue)?.partitions, stores),
    earlier(queue, stores),
    masters(queue, stores),
  ]);
  return findings(...(await Promise.all(found)));
}

function declaration(queue: string, declared: number | undefined, { layouts }: QueueStores) {
  const { partitions } = layouts.of(queue);
  const name = `partitions of ${queue}`;
  if (declared === undefined || declared === partitions)
    return partitions > 1 && ok(name, counted(partitions, "partition"));
  return finding(name, "warn", `${counted(partitions, "partition")}; the application declares ${declared}`, {
    reason: "the declaration is for new queues; this one keeps the partitions that it has",
    remedy: `holdfast queues partition ${queue} ${declared}, or correct the declaration`,
  });
}

/** Each earlier number costs a submission one more command. */
function earlier(queue: string, { layouts }: QueueStores): Finding | undefined {
  const { partitions, former } = layouts.of(queue);
  if (former.length === 0) return undefined;
  return finding(`earlier partitions of ${queue}`, "warn", former.join(", then "), {
    reason: "its keys are also looked up where they were before, which costs a submission a command",
    remedy: `once HOLDFAST_RETENTION_MS has passed since the change: holdfast queues partition ${queue} ${partitions}`,
  });
}

/** A master that has more partitions than another has more of the load. */
async function masters(queue: string, stores: QueueStores): Promise<Finding | undefined> {
  const partitions = stores.partitionsOf([queue]);
  if (partitions.length === 1) return undefined;
  const found = await Promise.all(partitions.map(({ client, keys }) => masterOf(client, keys.start)));
  const counts = new Map<string, number>();
  for (const master of found) counts.set(master, (counts.get(master) ?? 0) + 1);
  const each = [...counts].map(([master, count]) => `${count} on ${master}`).join(", ");
  const isEven = Math.max(...counts.values()) - Math.min(...counts.values()) <= 1;
  return finding(`masters of ${queue}`, counts.size > 1 && isEven ? "ok" : "warn", each, {
    reason:
      "partitions that share a master share its processor: the busiest one decides how fast the queue can be",
    remedy:
      counts.size === 1
        ? `run a Redis Cluster with several masters; on one, holdfast queues partition ${queue} 1 costs less`
        : "move slots to other masters (docs/resharding.md), or choose another number of partitions",
  });
}

/** The address of the server that holds a key. */
async function masterOf(client: RedisConnection, key: string): Promise<string> {
  if (!(client instanceof Cluster)) return "the only server";
  const slot = Number(await client.cluster("KEYSLOT", key));
  return client.slots[slot]?.[0] ?? "no server";
}
