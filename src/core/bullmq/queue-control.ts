import type { Queue } from "bullmq";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { QueueLimits, Rate } from "../job/application.ts";
import { reasonAssociatedData } from "../job/associated-data.ts";
import { type Ramp, readRamp } from "./ramp.ts";
import { decryptedOrWhyNot } from "./readable.ts";
import { bullmqQueueName } from "./store/queue-keys.ts";
import type { QueueStore } from "./store/queue-store.ts";

const script = loadScript(import.meta.url, "pause-note.lua", integer);

/** All partitions of one queue, the first one first. */
export type Partitions = readonly [QueueStore, ...QueueStore[]];

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
  /** While its jobs start slowly. */
  readonly ramp: Ramp | undefined;
  /** As the worker that started last declares them. */
  readonly declared: QueueLimits;
}

/** @throws Redis's own errors */
export async function readControl(partitions: Partitions): Promise<QueueControl> {
  const [first] = partitions;
  const [record, read, ramp] = await Promise.all([
    first.client.hgetall(first.keys.own("control")),
    Promise.all(partitions.map(readLimits)),
    readRamp(partitions),
  ]);
  const { by = "", since } = record;
  const isPaused = read.some((each) => each.isPaused);
  // Nothing rests on it, and a read must not fail because Redis refuses to write.
  if (!isPaused && since !== undefined) await dropStaleNote(first).catch(() => {});
  return {
    pause: isPaused
      ? { reason: reasonIn(first, record), by, since: since === undefined ? undefined : Number(since) }
      : undefined,
    limits: sumOf(read.map(({ limits }) => limits)),
    ramp,
    override: record.override === undefined ? undefined : JSON.parse(record.override),
    declared: record.declared === undefined ? {} : JSON.parse(record.declared),
  };
}

/** A later version has written the reason with its time, encrypted where there are keys; an earlier one as plain text. */
function reasonIn(
  { codec }: QueueStore,
  { reason = "", since, note }: Readonly<Record<string, string>>,
): string {
  const noted: { since: string; reason: string } | undefined =
    note === undefined ? undefined : JSON.parse(note);
  if (noted === undefined || noted.since !== since) return reason;
  return decryptedOrWhyNot(() => codec.decrypt(noted.reason, reasonAssociatedData(`queue ${since}`)));
}

/** Called by each worker at its start. A limit that is no longer declared is removed, one of another tool stays. */
export async function declareLimits(partitions: Partitions, declared: QueueLimits): Promise<void> {
  const [{ client, keys }] = partitions;
  const known = await readControl(partitions);
  if (JSON.stringify(known.declared) === JSON.stringify(declared)) return;
  await client.hset(keys.own("control"), { declared: JSON.stringify(declared) });
  await applyLimits(partitions, declared, known.override);
}

/** Sets BullMQ's limits. An override counts in place of what is declared. */
export async function applyLimits(
  partitions: Partitions,
  declared: QueueLimits,
  override: QueueLimits | undefined = {},
): Promise<void> {
  const concurrency = override.concurrency ?? declared.concurrency;
  const rate = override.rate ?? declared.rate;
  const each = rate && shareOfRate(rate, partitions.length);
  await withBullmq(partitions, async (queue) => {
    if (concurrency === undefined) await queue.removeGlobalConcurrency();
    else await queue.setGlobalConcurrency(Math.max(1, Math.floor(concurrency / partitions.length)));
    if (each === undefined) await queue.removeGlobalRateLimit();
    else await queue.setGlobalRateLimit(each.count, each.perMs);
  });
}

/** BullMQ limits each partition by itself: together they start no more. */
function shareOfRate({ count, perMs }: Rate, partitions: number): Rate {
  if (count >= partitions) return { count: Math.floor(count / partitions), perMs };
  return { count: 1, perMs: Math.ceil((perMs * partitions) / count) };
}

function sumOf(each: readonly QueueLimits[]): QueueLimits {
  const counts = each.map(({ concurrency }) => concurrency);
  const rates = each.map(({ rate }) => rate);
  const [first] = rates;
  return {
    concurrency: counts.reduce((sum, count) =>
      sum === undefined || count === undefined ? undefined : sum + count,
    ),
    rate: first && { count: rates.reduce((sum, rate) => sum + (rate?.count ?? 0), 0), perMs: first.perMs },
  };
}

/** Who has paused a queue, why, and when, in milliseconds since 1970. */
export interface PauseNote {
  readonly reason: string;
  readonly by: string;
  readonly at: number;
}

/** Writes the note of a pause, if the queue is still paused. */
export async function notePause(store: QueueStore, { reason, by, at }: PauseNote): Promise<void> {
  const since = String(at);
  const note = { since, reason: store.codec.encrypt(reason, reasonAssociatedData(`queue ${since}`)) };
  await script.run(store.client, keysOf(store), [JSON.stringify(note), by, since]);
}

/** Drops the note of a pause that is over. Workers do now and then, for another tool can have resumed the queue. */
export async function dropStaleNote(store: QueueStore): Promise<void> {
  await script.run(store.client, keysOf(store), []);
}

function keysOf({ keys }: QueueStore): readonly string[] {
  return [keys.meta, keys.own("control")];
}

/** Reads whether a partition is paused, and its limits. @throws Redis's own errors */
async function readLimits({
  client,
  keys,
}: QueueStore): Promise<{ readonly isPaused: boolean; readonly limits: QueueLimits }> {
  const fields = ["paused", "concurrency", "max", "duration"];
  const [paused, concurrency, max, duration] = await client.hmget(keys.meta, ...fields);
  return {
    isPaused: paused != null,
    limits: {
      concurrency: concurrency == null ? undefined : Number(concurrency),
      rate: max == null || duration == null ? undefined : { count: Number(max), perMs: Number(duration) },
    },
  };
}

/**
 * Loads BullMQ, which a process without queues to control does not need. A command does so before the application: afterwards tsx would
 * transform it, which takes longer than all else that the command does. @internal No published type names BullMQ.
 */
export async function loadBullmq() {
  return await import("bullmq");
}

/** Runs `act` with BullMQ's own object of each partition, loaded then: producers have none. @internal No published type names BullMQ. */
export async function withBullmq(
  partitions: readonly QueueStore[],
  act: (queue: Queue) => Promise<unknown>,
): Promise<void> {
  const bullmq = await loadBullmq();
  await Promise.all(
    partitions.map(async ({ queue: name, prefix, client }) => {
      const queue = new bullmq.Queue(bullmqQueueName(name), {
        prefix,
        connection: client,
        skipMetasUpdate: true,
        skipVersionCheck: true,
      });
      // The connection's owner reports errors.
      queue.on("error", () => {});
      try {
        await act(queue);
      } finally {
        await queue.close();
      }
    }),
  );
}
