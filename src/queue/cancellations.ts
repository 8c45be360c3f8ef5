import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { duplicate } from "../redis/connection.ts";
import type { Leases } from "./lease.ts";
import type { QueueStore } from "./queue-store.ts";

/** Ends attempts whose job is cancelled. A cancelled job bears a mark; a message says when to look for it. */
export interface Cancellations extends Running {
  /** Called when a job is claimed: the message can have come before the reply to the claim. */
  claimed(jobId: string): void;
  /** Looks for the mark, whether or not a message came. */
  look(jobIds: readonly string[]): Promise<void>;
}

/** In one look for the mark at each job: nothing else bounds how many jobs of other workers are cancelled at once. */
const EARLY_MAX = 10_000;

/**
 * Listens for cancellations.
 *
 * A message can be lost while the connection is away or hangs. So the jobs held here are looked at each time it is
 * subscribed again, and whenever locks are renewed.
 *
 * @param lockMs how long a message is remembered whose job is not held here: as long as the claim's lock lasts
 */
export function watchCancellations(
  { client, keys }: QueueStore,
  leases: Leases,
  lockMs: number,
): Cancellations {
  const early = createMemory(lockMs);
  const subscriber = duplicate(client);
  const end = (jobId: string) =>
    leases.abort(jobId, new HoldfastError("CANCELLED", "Cancelled by an operator"));

  async function look(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length === 0) return;
    const pipeline = client.pipeline();
    for (const jobId of jobIds) pipeline.hexists(keys.job(jobId), "defa");
    const marks = (await pipeline.exec()) ?? [];
    for (const [index, [, isMarked]] of marks.entries()) if (isMarked === 1) end(jobIds[index] ?? "");
  }

  function hear(jobId: string): void {
    if (leases.has(jobId)) end(jobId);
    else early.add(jobId);
  }

  const lookQuietly = (jobIds: readonly string[]) => look(jobIds).catch(() => {});
  const subscribe = async () => {
    await subscriber.subscribe(keys.cancelChannel);
    await look(leases.jobIds());
  };
  // The client reports its connection's errors; this one shares its fate.
  subscriber.on("error", () => {});
  subscriber.on("message", (_channel: string, jobId: string) => hear(jobId));
  subscriber.on("ready", () => void subscribe().catch(() => {}));
  return {
    claimed(jobId) {
      // The mark decides: the job may have been retried since.
      if (early.take(jobId)) void lookQuietly([jobId]);
    },
    look: lookQuietly,
    stop: stopOnce(async () => {
      subscriber.disconnect();
    }),
  };
}

/** Remembers jobs for a while, the latest of them. */
function createMemory(forMs: number) {
  const heardAt = new Map<string, number>();
  return {
    add(jobId: string): void {
      const now = performance.now();
      heardAt.delete(jobId);
      heardAt.set(jobId, now);
      for (const [oldest, at] of heardAt) {
        if (heardAt.size <= EARLY_MAX && now - at <= forMs) return;
        heardAt.delete(oldest);
      }
    },
    take: (jobId: string) => heardAt.delete(jobId),
  };
}
