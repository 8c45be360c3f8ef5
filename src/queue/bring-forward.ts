import { loadScript } from "../redis/script.ts";
import type { QueueStore } from "./queue-store.ts";

const script = loadScript(import.meta.url, "bring-forward.lua");

/** Makes the delayed jobs of a queue due earlier by `ms` milliseconds, as if time had passed. For tests. */
export async function bringForward({ client, keys }: QueueStore, ms: number): Promise<void> {
  await script.run(client, [keys.delayed], [keys.start, ms]);
}
