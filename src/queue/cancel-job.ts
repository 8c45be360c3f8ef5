import { formatFailure } from "../job/failure.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { endByHandLua } from "./includes.ts";
import type { QueueStore } from "./queue-store.ts";

export type CancelOutcome = "cancelled" | "cancelling" | "ended" | "missing";

const script = loadScript(import.meta.url, "cancel.lua", nowLua, endByHandLua);
const CANCELLED = formatFailure({ code: "CANCELLED", message: "Cancelled by an operator", retryable: false });

/** Ends a waiting job, and notifies the worker of an active one. */
export async function cancelJob({ client, keys }: QueueStore, jobId: string): Promise<CancelOutcome> {
  const args = [keys.start, jobId, CANCELLED, keys.cancelChannel];
  return (await script.run(client, [keys.job(jobId)], args)) as CancelOutcome;
}
