import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "encrypted-with.lua");
/** Of the waiting jobs, those with priority and the delayed ones. */
const READ_OF_EACH = 100;

/** Counts the next jobs of a queue by the id of the key that they are encrypted with; "" for those that are not encrypted. */
export async function countEncryptionKeys({ client, keys }: QueueStore): Promise<Map<string, number>> {
  const reply = (await script.run(client, [keys.waiting], [keys.start, READ_OF_EACH])) as string[];
  const counts = new Map<string, number>();
  for (let at = 0; at < reply.length; at += 2) counts.set(reply[at] ?? "", Number(reply[at + 1]));
  return counts;
}
