import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { cancelJob } from "../bullmq/end/cancel-job.ts";
import { findCancelled } from "../bullmq/stored-job.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";
import { listen } from "./shared-subscriber.ts";

/** Bounds the memory for messages about jobs of other workers. */
const EARLY_MAX = 10_000;

/**
 * Aborts attempts whose job is cancelled. The job has a mark; a message says when to look for it.
 *
 * It listens at the queue's own master: other nodes of a cluster can hang. A message can be lost while the connection is away, so the
 * claimed jobs are checked after each reconnect, and whenever locks are renewed.
 */
export function watchCancellations({ store, leases, settings, log }: ConsumedPartition): PartitionPart {
  const { client, keys, queue } = store;
  // How long a message is remembered whose job is not claimed here yet.
  const early = createMemory(settings.HOLDFAST_LOCK_MS);
  const end = (jobId: string) =>
    leases.get(jobId)?.abort(new HoldfastError("CANCELLED", "Cancelled by an operator"));
  const look = async (jobIds: readonly string[]) => {
    const cancelled = await findCancelled(store, jobIds).catch(() => []);
    for (const jobId of cancelled) end(jobId);
  };
  const { stop } = listen(client, {
    channel: keys.cancelChannel,
    onMessage(jobId) {
      if (leases.get(jobId) !== undefined) end(jobId);
      else early.add(jobId);
    },
    onSubscribed: () => void look(leases.jobIds()),
  });
  return {
    onClaim(jobId) {
      // The message can precede the reply to the claim. The mark decides: the job may have been retried since.
      if (early.take(jobId)) void look([jobId]);
    },
    onRenewal: (jobIds) => void look(jobIds),
    /** A job cancelled while its attempt was ending would be found as cancelled only when it is due. */
    async onDelay(jobId) {
      try {
        for (const cancelled of await findCancelled(store, [jobId])) await cancelJob(store, cancelled);
      } catch (error) {
        log.debug({ queue, jobId, reason: String(error) }, "a cancelled job ends when it is due");
      }
    },
    stop,
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
