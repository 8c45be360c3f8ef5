import type { Queue } from "bullmq";
import type { QueueLimits, Rate } from "../job/define-config.ts";
import { bullmqQueueName } from "./store/queue-keys.ts";
import type { QueueStore } from "./store/queue-store.ts";

/** All partitions of one queue, the first one first. */
export type Partitions = readonly [QueueStore, ...QueueStore[]];

/** Reads whether any partition is paused, and the limits of all together. @throws Redis's own errors */
export async function readLimits(
  partitions: Partitions,
): Promise<{ readonly isPaused: boolean; readonly limits: QueueLimits }> {
  const metas = await Promise.all(
    partitions.map(({ client, keys }) => client.hmget(keys.meta, "paused", "concurrency", "max", "duration")),
  );
  return { isPaused: metas.some(([paused]) => paused != null), limits: sumOf(metas.map(limitsIn)) };
}

/** Sets BullMQ's limits. An override counts in place of what is declared. */
export async function applyLimits(
  partitions: Partitions,
  declared: QueueLimits,
  override: QueueLimits | undefined = {},
): Promise<void> {
  const concurrency = override.concurrency ?? declared.concurrency;
  const rate = override.rate ?? declared.rate;
  const each = rate && shareOfRate(rate, partitions.length);
  await withBullmq(partitions, async (queue) => {
    if (concurrency === undefined) await queue.removeGlobalConcurrency();
    else await queue.setGlobalConcurrency(Math.max(1, Math.floor(concurrency / partitions.length)));
    if (each === undefined) await queue.removeGlobalRateLimit();
    else await queue.setGlobalRateLimit(each.count, each.perMs);
  });
}

/** BullMQ limits each partition by itself: together they start no more. */
function shareOfRate({ count, perMs }: Rate, partitions: number): Rate {
  if (count >= partitions) return { count: Math.floor(count / partitions), perMs };
  return { count: 1, perMs: Math.ceil((perMs * partitions) / count) };
}

/** Runs `act` with BullMQ's own object of each partition. BullMQ is loaded then: producers have no use for it. */
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

function limitsIn([, concurrency, max, duration]: readonly (string | null)[]): QueueLimits {
  return {
    concurrency: concurrency == null ? undefined : Number(concurrency),
    rate: max == null || duration == null ? undefined : { count: Number(max), perMs: Number(duration) },
  };
}

function sumOf(each: readonly QueueLimits[]): QueueLimits {
  const counts = each.map(({ concurrency }) => concurrency);
  const rates = each.map(({ rate }) => rate);
  const [first] = rates;
  return {
    concurrency: counts.reduce((sum, count) =>
      sum === undefined || count === undefined ? undefined : sum + count,
    ),
    rate: first && { count: rates.reduce((sum, rate) => sum + (rate?.count ?? 0), 0), perMs: first.perMs },
  };
}
