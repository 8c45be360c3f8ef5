import type { Queue } from "bullmq";
import type { QueueLimits } from "../job/application.ts";
import { bullmqQueueName } from "./store/queue-keys.ts";
import type { QueueStore } from "./store/queue-store.ts";

/** All partitions of one queue, the first one first. */
export type Partitions = readonly [QueueStore, ...QueueStore[]];

/** Reads whether a partition is paused, and its limits. @throws Redis's own errors */
export async function readLimits({
  client,
  keys,
}: QueueStore): Promise<{ readonly isPaused: boolean; readonly limits: QueueLimits }> {
  const fields = ["paused", "concurrency", "max", "duration"];
  const [paused, concurrency, max, duration] = await client.hmget(keys.meta, ...fields);
  return {
    isPaused: paused != null,
    limits: {
      concurrency: concurrency == null ? undefined : Number(concurrency),
      rate: max == null || duration == null ? undefined : { count: Number(max), perMs: Number(duration) },
    },
  };
}

/** Runs `act` with BullMQ's own object of each partition, loaded then: producers have none. @internal No published type names BullMQ. */
export async function withBullmq(
  partitions: readonly QueueStore[],
  act: (queue: Queue) => Promise<unknown>,
): Promise<void> {
  const bullmq = await import("bullmq");
  await Promise.all(
    partitions.map(async ({ queue: name, prefix, client }) => {
      const queue = new bullmq.Queue(bullmqQueueName(name), {
        prefix,
        connection: client,
        skipMetasUpdate: true,
        skipVersionCheck: true,
      });
      // The connection's owner reports errors.
      queue.on("error", () => {});
      try {
        await act(queue);
      } finally {
        await queue.close();
      }
    }),
  );
}
