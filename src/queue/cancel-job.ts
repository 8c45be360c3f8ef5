import { formatFailure } from "../job/failure.ts";
import { loadScript } from "../redis/script.ts";
import type { QueueStore } from "./queue-store.ts";

/** What a cancellation found. */
export type CancelOutcome = "cancelled" | "cancelling" | "ended" | "missing";

const script = loadScript(import.meta.url, "cancel.lua");
const CANCELLED = formatFailure({ code: "CANCELLED", message: "Cancelled by an operator", retryable: false });

/** Ends a job that waits, and tells the worker of one that is active to end it. */
export async function cancelJob({ client, keys }: QueueStore, jobId: string): Promise<CancelOutcome> {
  const { waiting, paused, active, delayed, prioritized, completed, failed, events } = keys;
  const used = [keys.job(jobId), waiting, paused, active, delayed, prioritized, completed, failed, events];
  return (await script.run(client, used, [jobId, CANCELLED, keys.cancelChannel])) as CancelOutcome;
}
