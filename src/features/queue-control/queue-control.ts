import { applyLimits, type Partitions, readLimits } from "../../core/bullmq/queue-control.ts";
import type { QueueLimits } from "../../core/job/define-config.ts";
import { dropStaleNote } from "./pause-note.ts";

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
    override: record.override === undefined ? undefined : parse(record.override),
    declared: record.declared === undefined ? {} : parse(record.declared),
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

function parse<T>(json: string): T {
  return JSON.parse(json) as T;
}
