import { formatFailure } from "../job/failure.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { cancelChannel, queueKey } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";

/** What a cancellation found. */
export type CancelOutcome = "cancelled" | "cancelling" | "ended" | "missing";

const script = loadScript(import.meta.url, "cancel.lua");
const CANCELLED = formatFailure({ code: "CANCELLED", message: "Cancelled by an operator", retryable: false });
const lists = ["wait", "paused", "active", "delayed", "prioritized", "completed", "failed", "events"];

/** Ends a job that waits, and tells the worker of one that is active to end it. */
export async function cancelJob(
  client: RedisConnection,
  place: { readonly prefix: string; readonly queue: string; readonly jobId: string },
): Promise<CancelOutcome> {
  const { prefix, queue, jobId } = place;
  const keys = [jobId, ...lists].map((key) => queueKey(prefix, queue, key));
  return (await script.run(client, keys, [jobId, CANCELLED, cancelChannel(prefix, queue)])) as CancelOutcome;
}
