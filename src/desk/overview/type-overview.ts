import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { HistoryCounts } from "../../core/history/history-counts.ts";
import { type HistoryRecord, readHistoryRecords } from "../../core/history/read-history.ts";
import type { Application } from "../../core/job/application.ts";
import type { FeatureTypeOverview } from "../../core/status/overview-part.ts";
import { features } from "../../features/index.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { either, integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { estimatesOf } from "./history.ts";
import type { TypeOverview } from "./overview.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const RATE_MS = 5 * MINUTE_MS;
/** Workers write as often. */
const READ_AGAIN_MS = 5_000;

type Contracts = Application["jobs"];

const ofFeatures = features.flatMap(({ overview }) => overview ?? []);

export function openTypeReader(jobs: Contracts) {
  let last: { readonly at: number; readonly records: readonly HistoryRecord[] } | undefined;

  async function lastHour(partitions: readonly QueueStore[], now: number): Promise<readonly HistoryRecord[]> {
    if (last !== undefined && now - last.at < READ_AGAIN_MS && now >= last.at) return last.records;
    const reads = partitions.map((store) => readHistoryRecords(store, "minute", now - HOUR_MS, now));
    last = { at: now, records: (await Promise.all(reads)).flat() };
    return last.records;
  }

  /** @param now Redis's clock, in milliseconds since 1970 */
  return async (partitions: readonly QueueStore[], now: number): Promise<TypeOverview[]> => {
    const [records, own, types] = await Promise.all([
      lastHour(partitions, now),
      Promise.all(ofFeatures.map(({ read }) => read(partitions))),
      Promise.all(partitions.map(readTypes)),
    ]);
    const found = types.flat();
    return [...jobs].map(([type, { queue }]) => ({
      type,
      queue,
      ...nowOf(found.filter((one) => one.type === type)),
      ...(Object.assign({}, ...own.map((of) => of(type))) as FeatureTypeOverview),
      ...recentlyOf(
        records.filter((record) => record.type === type),
        now,
      ),
    }));
  };
}

function nowOf(found: readonly TypeNow[]) {
  const sum = (name: "waiting" | "active") => found.reduce((total, one) => total + one[name], 0);
  const waitingSince = found.flatMap((one) => one.waitingSince ?? []);
  return {
    active: sum("active"),
    waiting: sum("waiting"),
    isEstimate: found.some(({ isEstimate }) => isEstimate),
    oldestWaitingSince: waitingSince.length === 0 ? null : nearestTime(Math.min(...waitingSince)),
  };
}

function recentlyOf(records: readonly HistoryRecord[], now: number) {
  const hour = new HistoryCounts();
  for (const { counts } of records) hour.addAll(counts);
  const since = Math.floor((now - RATE_MS) / MINUTE_MS) * MINUTE_MS;
  const lately = records.filter(({ at }) => at >= since);
  const completed = lately.reduce((total, { counts }) => total + counts.of("completed"), 0);
  return {
    completedPerSecond: completed / ((now - since) / 1_000),
    lastHour: {
      completed: hour.of("completed"),
      retried: hour.of("retried"),
      failed: hour.of("failed") + hour.of("expired"),
      inDoubt: hour.of("inDoubt"),
      timeToStart: estimatesOf(hour.timeToStart),
      runTime: estimatesOf(hour.runTime),
      completedEachTwoMinutes: completedEachStep(records, now),
    },
  };
}

const STEP_MS = 2 * MINUTE_MS;
const STEPS = HOUR_MS / STEP_MS;

function completedEachStep(records: readonly HistoryRecord[], now: number): number[] {
  const steps = Array.from({ length: STEPS }, () => 0);
  const first = (Math.floor(now / STEP_MS) - STEPS + 1) * STEP_MS;
  for (const { at, counts } of records) {
    const step = Math.floor((at - first) / STEP_MS);
    const before = steps[step];
    if (before !== undefined) steps[step] = before + counts.of("completed");
  }
  return steps;
}

/** The jobs of one type in one list of a partition now. */
interface TypeNow {
  readonly type: string;
  readonly waiting: number;
  /** Whether `waiting` is computed from a sample. */
  readonly isEstimate: boolean;
  /** Since when the first one could run, in milliseconds since 1970; undefined where none waits. */
  readonly waitingSince: number | undefined;
  readonly active: number;
}

/** Occupies Redis for about a millisecond. */
const LOOKED_AT = 500;
const FIELDS = 3;

const types = listOf(either(text, integer));
const script = loadScript(import.meta.url, "types-now.lua", tuple(types, types, types, types, types));

/** Reads how many jobs of each type wait and run, at the same cost at any depth: exactly for short queues, else from a sample. */
async function readTypes({ client, keys }: QueueStore): Promise<TypeNow[]> {
  const lists = await script.run(client, [keys.own("workers")], [keys.start, LOOKED_AT]);
  const [wait, paused, prioritized, held, active] = lists;
  return [
    ...[wait, paused, prioritized, held].flatMap((list) =>
      typesIn(list).map((found) => ({ ...found, waiting: found.count, active: 0 })),
    ),
    ...typesIn(active).map((found) => ({
      ...found,
      waiting: 0,
      active: found.count,
      waitingSince: undefined,
    })),
  ];
}

function typesIn([length, lookedAt, ...found]: readonly (string | number)[]) {
  const share = Number(length) / Math.max(1, Number(lookedAt));
  return Array.from({ length: found.length / FIELDS }, (_, index) => {
    const [type = "", count, since] = found.slice(index * FIELDS);
    return {
      type: String(type),
      count: Math.round(Number(count) * share),
      isEstimate: share > 1,
      waitingSince: Number(since),
    };
  });
}
