import { retryFailedJobLua } from "../queue/includes.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { ledgerLua } from "./includes.ts";

export type Retried = "retried" | "not-failed" | "missing";

const script = loadScript(import.meta.url, "retry.lua", nowLua, retryFailedJobLua, ledgerLua);

/**
 * Returns a failed job to its queue with all its attempts before it, and keeps its ledger.
 *
 * @param only if it is still failed for this reason, as Redis holds it, and failed before this, in milliseconds since 1970
 */
export async function retryJob(
  { client, keys }: QueueStore,
  id: string,
  { reason = "", before }: { readonly reason?: string; readonly before?: number } = {},
): Promise<Retried> {
  const args = [keys.start, id, keys.ledgerStart, reason, before ?? ""];
  return (await script.run(client, [keys.joinedJobs], args)) as Retried;
}
