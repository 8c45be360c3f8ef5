import { randomUUID } from "node:crypto";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { FeatureInWorker, WorkerProcess } from "../../core/feature.ts";
import { startSweep } from "../../core/life/start-sweep.ts";
import { guardedBytes } from "../../guard/places.ts";
import type { Running } from "../../platform/lib/running.ts";
import { integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { type Budget, budgetsOf, bytesOf, oldestOf, parseShares, type Share } from "./shares.ts";

const SWEEP_EVERY_MS = 1_000;
/** Each occupies Redis for about a millisecond. */
const COUNTED_MAX = 100;
const TRIMMED_MAX = 50;

const shares = listOf(tuple(text, integer, integer));
const countScript = loadScript(import.meta.url, "count-ended.lua", tuple(integer, integer, shares));
const trimScript = loadScript(import.meta.url, "trim-oldest.lua", tuple(integer, shares));

/** A partition and what its ended jobs take. */
interface Partition {
  readonly store: QueueStore;
  /** Whether it is this worker's turn to count them. */
  readonly isOwn: boolean;
  shares: readonly Share[];
}

export const inWorker: FeatureInWorker = { inProcess: startBudgetSweep };

/**
 * Removes ended jobs, the oldest first, while they and the keys of guards take more than the application may keep, or those of a type more than
 * that; each second. Nothing runs where
 * there is no budget. No script reaches two partitions: each keeps its own sums, and the one that has the oldest jobs is asked to
 * remove what is too much.
 */
export function startBudgetSweep({ application, settings, stores, log }: WorkerProcess): Running[] {
  const budgets = budgetsOf(application, settings.HOLDFAST_KEEP_BYTES);
  const [first] = stores.partitionsOf(application.queues);
  if (budgets.length === 0 || first === undefined) return [];
  const worker = randomUUID();
  const sweep = async (mayGoOn: () => boolean) => {
    const counted = stores
      .partitionsOf(application.queues)
      .map((store) => countEnded(store, worker, mayGoOn));
    // A partition that cannot be read now is left out: no job is removed because of its jobs.
    const partitions = (await Promise.allSettled(counted)).flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    // All workers at once would only keep Redis from other work.
    if (!partitions[0]?.isOwn) return;
    const remembered = await guardedBytes(stores);
    for (const { type, bytes } of budgets)
      await keepWithin({ type, bytes: type === undefined ? bytes - remembered : bytes }, partitions, mayGoOn);
  };
  return [startSweep({ store: first, log }, { everyMs: SWEEP_EVERY_MS }, sweep)];
}

async function countEnded(store: QueueStore, worker: string, mayGoOn: () => boolean): Promise<Partition> {
  const { client, keys } = store;
  const args = [keys.start, COUNTED_MAX, worker];
  for (;;) {
    const [isMore, isOwn, shares] = await countScript.run(client, [keys.completed, keys.failed], args);
    if (isMore === 0 || !mayGoOn()) return { store, isOwn: isOwn === 1, shares: parseShares(shares) };
  }
}

async function keepWithin(
  { type, bytes }: Budget,
  partitions: readonly Partition[],
  mayGoOn: () => boolean,
): Promise<void> {
  // Where nothing could be removed, all of the oldest are in doubt.
  let open = partitions;
  while (mayGoOn()) {
    const excess = partitions.reduce((sum, { shares }) => sum + bytesOf(shares, type), 0) - bytes;
    open = open
      .filter(({ shares }) => oldestOf(shares, type) < Number.POSITIVE_INFINITY)
      .toSorted((a, b) => oldestOf(a.shares, type) - oldestOf(b.shares, type));
    const [oldest, next] = open;
    if (excess <= 0 || oldest === undefined) return;
    // A target, not the excess: workers that have seen the same do not remove it twice.
    const target = Math.max(0, bytesOf(oldest.shares, type) - excess);
    const args = [type ?? "", target, TRIMMED_MAX, next === undefined ? "" : oldestOf(next.shares, type)];
    if ((await trim(oldest, args)) === 0) open = open.filter((partition) => partition !== oldest);
  }
}

async function trim(partition: Partition, args: readonly (string | number)[]): Promise<number> {
  const { client, keys } = partition.store;
  const sets = [keys.completed, keys.failed, keys.joinedJobs];
  const [deleted, shares] = await trimScript.run(client, sets, [keys.start, keys.ledgerStart, ...args]);
  partition.shares = parseShares(shares);
  return deleted;
}
