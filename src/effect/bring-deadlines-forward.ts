import type { QueueStore } from "../queue/queue-store.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { entriesLua } from "./includes.ts";

const script = loadScript(import.meta.url, "bring-deadlines-forward.lua", nowLua, entriesLua);

/** Moves the deadlines of a queue's effects by `ms` milliseconds, as if time had passed. For tests. */
export async function bringDeadlinesForward({ client, keys }: QueueStore, ms: number): Promise<void> {
  await script.run(client, [keys.joinedJobs, keys.newLedgers], [keys.ledgerStart, ms]);
}
