import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** Who has paused a queue, why, and when, in milliseconds since 1970. */
export interface PauseNote {
  readonly reason: string;
  readonly by: string;
  readonly at: number;
}

const script = loadScript(import.meta.url, "pause-note.lua");

/** Writes the note of a pause, if the queue is still paused. */
export async function notePause(store: QueueStore, { reason, by, at }: PauseNote): Promise<void> {
  await script.run(store.client, keysOf(store), [reason, by, at]);
}

/** Drops the note of a pause that is over. Workers do now and then, for another tool can have resumed the queue. */
export async function dropStaleNote(store: QueueStore): Promise<void> {
  await script.run(store.client, keysOf(store), []);
}

function keysOf({ keys }: QueueStore): readonly string[] {
  return [keys.meta, keys.own("control")];
}
