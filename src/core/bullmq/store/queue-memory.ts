import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import { inTime, START_DEADLINE_MS } from "../../../platform/redis/redis-errors.ts";
import { okReply } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { Application } from "../../job/application.ts";
import type { JobContract } from "../../job/contract.ts";

/** The queues that each job type was submitted to. */
function queueMemoryKey(prefix: string): string {
  return `${prefix}:queues`;
}

const rememberScript = loadScript(import.meta.url, "remember-queue.lua", okReply);

/** Remembers in Redis which queue each type is submitted to. */
export function openQueueMemory(client: RedisConnection, prefix: string) {
  const known = new Set<string>();
  const forget = () => known.clear();
  client.on("ready", forget);
  return {
    /** As far as this process knows. */
    has: ({ type }: JobContract) => known.has(type),
    /** @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_FULL` */
    async remember({ type, queue, formerQueues }: JobContract): Promise<void> {
      if (known.has(type)) return;
      await inTime(rememberScript.run(client, [queueMemoryKey(prefix)], [type, queue, ...formerQueues]));
      known.add(type);
    },
    /** Redis may have lost it: each type is remembered anew. */
    forget,
  };
}

/** Reads the queues that each type was submitted to, the latest first. */
export async function readQueueMemory(
  client: RedisConnection,
  prefix: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const known = await client.hgetall(queueMemoryKey(prefix));
  return new Map(Object.entries(known).map(([type, names]) => [type, names.split(" ")]));
}

/** A contract whose queue differs from the one its type was last submitted to, without declaring it. */
export interface ChangedQueue {
  readonly type: string;
  readonly queue: string;
  readonly lastQueue: string;
  /** What to write into the contract. */
  readonly line: string;
}

export function changedQueues(
  { jobs }: Pick<Application, "jobs">,
  memory: ReadonlyMap<string, readonly string[]>,
): ChangedQueue[] {
  return [...jobs.values()].flatMap(({ type, queue, formerQueues }) => {
    const [lastQueue] = memory.get(type) ?? [];
    if (lastQueue === undefined || lastQueue === queue || formerQueues.includes(lastQueue)) return [];
    const names = [...formerQueues, lastQueue].map((name) => JSON.stringify(name));
    return [{ type, queue, lastQueue, line: `formerQueues: [${names.join(", ")}]` }];
  });
}

/**
 * Refuses an application in which a type has another queue than before: its keys would be forgotten, and its jobs left behind.
 *
 * @throws HoldfastError `QUEUE_CHANGED` with a line for each such type, `STORE_UNAVAILABLE`
 */
export async function requireKnownQueues(
  application: Application,
  client: RedisConnection,
  prefix: string,
): Promise<void> {
  const changed = changedQueues(
    application,
    await inTime(readQueueMemory(client, prefix), START_DEADLINE_MS),
  );
  if (changed.length === 0) return;
  const lines = changed.map(
    ({ type, queue, lastQueue, line }) =>
      `job "${type}": its queue is "${queue}", and it was last submitted to "${lastQueue}". ` +
      `Declare that in its contract: ${line} (see docs/change-a-queue.md)`,
  );
  throw new HoldfastError("QUEUE_CHANGED", lines.join("\n"));
}
