import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { loadScript } from "../platform/redis/script.ts";

const script = loadScript(import.meta.url, "bring-forward.lua");

/** Makes the delayed jobs of a queue due earlier by `ms` milliseconds, as if time had passed. For tests. */
export async function bringForward({ client, keys }: QueueStore, ms: number): Promise<void> {
  await script.run(client, [keys.delayed], [keys.start, ms]);
}
