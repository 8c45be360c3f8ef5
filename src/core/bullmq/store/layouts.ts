import type { RedisConnection } from "../../../platform/redis/connection.ts";
import { inTime, START_DEADLINE_MS } from "../../../platform/redis/redis-errors.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import { Layouts } from "./partitions.ts";
import { queueKeys } from "./queue-keys.ts";

const setScript = loadScript(import.meta.url, "set-layout.lua");

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

/** @returns the layout that stands there now: the new one, unless it was no longer as found */
export async function setLayout(
  client: RedisConnection,
  prefix: string,
  { partition, found, layout }: { partition: string; found: string; layout: string },
): Promise<string> {
  return String(await setScript.run(client, [queueKeys(prefix, partition).epoch], [found, layout]));
}
