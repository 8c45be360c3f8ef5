import { applyLimits, type Partitions, readLimits } from "../../core/bullmq/queue-control.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { QueueLimits } from "../../core/job/queue-settings.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "pause-note.lua");

/** Who paused a queue, and why. */
export interface Pause {
  /** "" where another tool paused it. */
  readonly reason: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly since: number | undefined;
}

/** Limits that were set by hand; they count in place of the declared ones. */
export interface Override extends QueueLimits {
  readonly by: string;
  readonly since: number;
}

/** What an operator and the application have set for a queue. */
export interface QueueControl {
  readonly pause: Pause | undefined;
  /** In force, as BullMQ has them. */
  readonly limits: QueueLimits;
  readonly override: Override | undefined;
  /** As the worker that started last declares them. */
  readonly declared: QueueLimits;
}

/** @throws Redis's own errors */
export async function readControl(partitions: Partitions): Promise<QueueControl> {
  const [first] = partitions;
  const [record, { isPaused, limits }] = await Promise.all([
    first.client.hgetall(first.keys.own("control")),
    readLimits(partitions),
  ]);
  const { reason = "", by = "", since } = record;
  // Nothing rests on it, and a read must not fail because Redis refuses to write.
  if (!isPaused && since !== undefined) await dropStaleNote(first).catch(() => {});
  return {
    pause: isPaused ? { reason, by, since: since === undefined ? undefined : Number(since) } : undefined,
    limits,
    override: record.override === undefined ? undefined : JSON.parse(record.override),
    declared: record.declared === undefined ? {} : JSON.parse(record.declared),
  };
}

/** Called by each worker at its start. A limit that is no longer declared is removed, one of another tool stays. */
export async function declareLimits(partitions: Partitions, declared: QueueLimits): Promise<void> {
  const [{ client, keys }] = partitions;
  const known = await readControl(partitions);
  if (JSON.stringify(known.declared) === JSON.stringify(declared)) return;
  await client.hset(keys.own("control"), { declared: JSON.stringify(declared) });
  await applyLimits(partitions, declared, known.override);
}

/** Who has paused a queue, why, and when, in milliseconds since 1970. */
export interface PauseNote {
  readonly reason: string;
  readonly by: string;
  readonly at: number;
}

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
