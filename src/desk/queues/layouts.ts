import { Layouts, parseLayout } from "../../core/bullmq/store/partitions.ts";
import { queueKeys } from "../../core/bullmq/store/queue-keys.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { inTime, START_DEADLINE_MS } from "../../platform/redis/redis-errors.ts";

/** Reads the layout that stands in one partition; "" for none. */
export async function readLayout(
  client: RedisConnection,
  prefix: string,
  partition: string,
): Promise<string> {
  return (await client.hget(queueKeys(prefix, partition).epoch, "layout")) ?? "";
}

/**
 * Reads the layouts of queues as they are now.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function readLayouts(
  client: RedisConnection,
  prefix: string,
  queues: readonly string[],
): Promise<Layouts> {
  const layouts = new Layouts();
  await inTime(renewLayouts(client, prefix, queues, layouts), START_DEADLINE_MS);
  return layouts;
}

/** Reads them again, for a process that does not follow them by its epochs. @throws Redis's own errors */
export async function renewLayouts(
  client: RedisConnection,
  prefix: string,
  queues: readonly string[],
  layouts: Layouts,
): Promise<void> {
  await Promise.all(
    queues.map(async (queue) => layouts.learn(queue, await readLayout(client, prefix, queue))),
  );
}

/** The stored layout after a change. A number that comes again is named once. */
export function changedLayout(text: string, partitions: number): string {
  const { partitions: last, former } = parseLayout(text);
  return [...new Set([partitions, last, ...[...former].reverse()])].join(" ");
}
