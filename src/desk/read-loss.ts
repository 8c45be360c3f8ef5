import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { type Loss, lossIn } from "../platform/redis/fitness/epoch.ts";

/** Reads what is known of a loss that nobody has accepted. */
export async function readLoss({ client, keys }: QueueStore): Promise<Loss | undefined> {
  const fields = ["id", "since", "knownId", "knownCount", "foundId", "foundCount", "evictions"];
  const [id, ...details] = await client.hmget(keys.epoch, ...fields);
  return id === "lost" ? lossIn(details) : undefined;
}
