import { randomUUID } from "node:crypto";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { type Loss, lossIn } from "../../platform/redis/fitness/epoch.ts";
import { orNull, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { storedReason } from "./audit-log.ts";

/** Reads what is known of a loss that nobody has accepted. */
export async function readLoss({ client, keys }: QueueStore): Promise<Loss | undefined> {
  const fields = ["id", "since", "knownId", "knownCount", "foundId", "foundCount", "evictions"];
  const [id, ...details] = await client.hmget(keys.epoch, ...fields);
  return id === "lost" ? lossIn(details) : undefined;
}

const script = loadScript(import.meta.url, "accept-loss.lua", orNull(text));

/**
 * Accepts that Redis has lost data of a queue: a new epoch begins.
 *
 * @returns since when it was known, in milliseconds since 1970; undefined where nothing was lost
 */
export async function acceptLoss(
  store: QueueStore,
  { evidence, by }: { readonly evidence: string; readonly by: string },
): Promise<number | undefined> {
  const { client, keys } = store;
  const args = [randomUUID(), storedReason(store, evidence), by];
  const since = await script.run(client, [keys.epoch, keys.audit], args);
  return since === null ? undefined : Number(since);
}
