import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { loadScript } from "../platform/redis/script.ts";

const script = loadScript(import.meta.url, "bring-deadlines-forward.lua");

/** Moves the deadlines of a queue's effects by `ms` milliseconds, as if time had passed. For tests. */
export async function bringDeadlinesForward({ client, keys }: QueueStore, ms: number): Promise<void> {
  await script.run(client, [keys.joinedJobs, keys.newLedgers], [keys.ledgerStart, ms]);
}
