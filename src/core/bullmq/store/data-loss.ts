import { randomUUID } from "node:crypto";
import { type Loss, lossIn } from "../../../platform/redis/fitness/epoch.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import { effectAssociatedData } from "../../job/associated-data.ts";
import type { QueueStore } from "./queue-store.ts";

const script = loadScript(import.meta.url, "accept-loss.lua");

/** Reads what is known of a loss that nobody has accepted. */
export async function readLoss({ client, keys }: QueueStore): Promise<Loss | undefined> {
  const fields = ["id", "since", "knownId", "knownCount", "foundId", "foundCount", "evictions"];
  const [id, ...details] = await client.hmget(keys.epoch, ...fields);
  return id === "lost" ? lossIn(details) : undefined;
}

/**
 * Accepts that Redis has lost data of a queue: a new epoch begins.
 *
 * @returns since when it was known, in milliseconds since 1970; undefined where nothing was lost
 */
export async function acceptLoss(
  { client, codec, keys }: QueueStore,
  { evidence, by }: { readonly evidence: string; readonly by: string },
): Promise<number | undefined> {
  const encrypted = codec.encrypt(evidence, effectAssociatedData("", "", "evidence"));
  const since = await script.run(client, [keys.epoch, keys.audit], [randomUUID(), encrypted, by]);
  return since === null ? undefined : Number(since);
}
