import type { QueueStore } from "../store/queue-store.ts";

/** Stores a job's progress from outside of its attempt, or at its end. */
export async function storeProgress(store: QueueStore, id: string, value: object): Promise<void> {
  const text = JSON.stringify(store.encryptValue(id, "progress", value));
  await store.client.hset(store.keys.job(id), "progress", text);
}
