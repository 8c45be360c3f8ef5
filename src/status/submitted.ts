import { openEnvelope } from "../queue/envelope.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { openedOrWhyNot } from "../redis/codec.ts";
import { UNREADABLE } from "./readable.ts";

/** What a client submitted, from a job's `data`; why not, in its place, where it cannot be read. */
export function submitted(
  store: QueueStore,
  jobId: string,
  data: string,
): { readonly idempotencyKey: string; readonly payload: unknown } {
  try {
    const opened = openedOrWhyNot(() => openEnvelope(store, jobId, JSON.parse(data)));
    return typeof opened === "string"
      ? { idempotencyKey: opened, payload: opened }
      : { idempotencyKey: opened.key, payload: opened.payload };
  } catch {
    return { idempotencyKey: UNREADABLE, payload: UNREADABLE };
  }
}

/** For a key of the store that holds something else than it should: as if it were not there. */
export function unlessWrongType(error: Error): null {
  if (error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}
