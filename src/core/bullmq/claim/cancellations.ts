import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Running } from "../../../platform/lib/running.ts";
import { listen } from "../../../platform/redis/shared-subscriber.ts";
import type { QueueStore } from "../store/queue-store.ts";
import type { Leases } from "./lease.ts";

/** Aborts attempts whose job is cancelled. The job has a mark; a message says when to look for it. */
export interface Cancellations extends Running {
  /** Called when a job is claimed: the message can precede the reply to the claim. */
  claimed(jobId: string): void;
  /** Looks for the mark. */
  look(jobIds: readonly string[]): Promise<void>;
}

/** Bounds the memory for messages about jobs of other workers. */
const EARLY_MAX = 10_000;

/**
 * Listens for cancellations, at the queue's own master: other nodes of a cluster can hang. A message can be lost while the connection is away, so the claimed jobs are checked after each
 * reconnect, and whenever locks are renewed.
 *
 * @param lockMs how long a message is remembered whose job is not claimed here yet
 */
export function watchCancellations(
  { client, keys }: QueueStore,
  leases: Leases,
  lockMs: number,
): Cancellations {
  const early = createMemory(lockMs);
  const end = (jobId: string) =>
    leases.abort(jobId, new HoldfastError("CANCELLED", "Cancelled by an operator"));

  async function look(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length === 0) return;
    const pipeline = client.pipeline();
    for (const jobId of jobIds) pipeline.hexists(keys.job(jobId), "defa");
    const marks = (await pipeline.exec()) ?? [];
    for (const [index, [, isMarked]] of marks.entries()) if (isMarked === 1) end(jobIds[index] ?? "");
  }

  function onMessage(jobId: string): void {
    if (leases.has(jobId)) end(jobId);
    else early.add(jobId);
  }

  const lookQuietly = (jobIds: readonly string[]) => look(jobIds).catch(() => {});
  const listening = listen(client, {
    channel: keys.cancelChannel,
    onMessage,
    onSubscribed: () => void lookQuietly(leases.jobIds()),
  });
  return {
    claimed(jobId) {
      // The mark decides: the job may have been retried since the message.
      if (early.take(jobId)) void lookQuietly([jobId]);
    },
    look: lookQuietly,
    stop: listening.stop,
  };
}

/** Remembers jobs for a while, the latest ones. */
function createMemory(forMs: number) {
  const addedAt = new Map<string, number>();
  return {
    add(jobId: string): void {
      const now = performance.now();
      addedAt.delete(jobId);
      addedAt.set(jobId, now);
      for (const [oldest, at] of addedAt) {
        if (addedAt.size <= EARLY_MAX && now - at <= forMs) return;
        addedAt.delete(oldest);
      }
    },
    take: (jobId: string) => addedAt.delete(jobId),
  };
}
