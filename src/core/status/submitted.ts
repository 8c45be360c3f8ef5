import { openEnvelope } from "../bullmq/add/envelope.ts";
import { decryptedOrWhyNot } from "../bullmq/readable.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import { UNREADABLE } from "./readable.ts";

/** What a client submitted, from the JSON of the job's envelope; or why that cannot be read. */
export function submitted(
  store: QueueStore,
  jobId: string,
  envelope: string,
): { readonly idempotencyKey: string; readonly payload: unknown } {
  try {
    const opened = decryptedOrWhyNot(() => openEnvelope(store, jobId, JSON.parse(envelope)));
    return typeof opened === "string"
      ? { idempotencyKey: opened, payload: opened }
      : { idempotencyKey: opened.key, payload: opened.payload };
  } catch {
    return { idempotencyKey: UNREADABLE, payload: UNREADABLE };
  }
}
