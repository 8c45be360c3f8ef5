import { type SeenJob, seenArgument } from "../../core/bullmq/as-seen.ts";
import type { StoredAct } from "../../core/bullmq/end/cancel-job.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { oneOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** `forgotten`: what was known of its effects is gone, so they would happen again. */
export type Retried = "retried" | "not-failed" | "missing" | "forgotten" | "changed";

interface RetryConditions {
  readonly reason?: string;
  readonly before?: number;
  readonly act?: StoredAct | undefined;
  readonly seen?: SeenJob | undefined;
}

const script = loadScript(
  import.meta.url,
  "retry-job.lua",
  oneOf("retried", "not-failed", "missing", "forgotten", "changed"),
);

/**
 * Returns a failed job to its queue with all its attempts before it, and keeps its ledger.
 *
 * @param only if it is still failed for this reason, as Redis holds it, and failed before this, in milliseconds since 1970;
 *   `act` is who does it, and why; `seen` is what they have seen
 */
export async function retryJob(
  { client, keys }: QueueStore,
  id: string,
  { reason = "", before, act, seen }: RetryConditions = {},
): Promise<Retried> {
  const recorded = act === undefined ? "" : JSON.stringify(act);
  const args = [keys.start, id, keys.ledgerStart, reason, before ?? "", recorded, seenArgument(seen)];
  return await script.run(client, [keys.joinedJobs], args);
}
