import { z } from "zod";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import {
  type Durations,
  HistoryCounts,
  type HistoryOutcome,
  historyOutcomes,
} from "../../core/history/history-counts.ts";
import { HOURS_KEPT_MS, MINUTES_KEPT_MS } from "../../core/history/history-writer.ts";
import { markKinds, readMarks } from "../../core/history/marks.ts";
import { type HistoryRecord, type HistoryUnit, readHistoryRecords } from "../../core/history/read-history.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { malformed } from "../../platform/lib/parse-json.ts";

const instant = z.iso.datetime();

export const estimatedSchema = z
  .object({
    count: z.int(),
    p50: z.number().nullable(),
    p95: z.number().nullable(),
    p99: z.number().nullable(),
  })
  .meta({ description: "Milliseconds, estimated from a histogram: at most a factor of √2 off." });
export type EstimatedPercentiles = Readonly<z.output<typeof estimatedSchema>>;

const historyPointSchema = z.object({
  at: instant.meta({ description: "When the step begins." }),
  submitted: z.int(),
  completed: z.int(),
  retried: z.int().meta({ description: "Attempts that failed, and that another one follows." }),
  failed: z.int().meta({ description: "Failed for good, other than the next three." }),
  inDoubt: z.int(),
  expired: z.int(),
  cancelled: z
    .int()
    .meta({ description: "While they ran. A job that waits is cancelled without an attempt." }),
  released: z.int().meta({ description: "Attempts that a stopping worker gave up." }),
  deferred: z.int().meta({ description: "Attempts that were put off, such as snoozed ones." }),
  timeToStart: estimatedSchema,
  runTime: estimatedSchema,
});
export type HistoryPoint = Readonly<z.output<typeof historyPointSchema>>;

const markSchema = z.object({
  at: instant,
  queue: z.string(),
  kind: z.enum(markKinds),
  text: z.string(),
  by: z.string().meta({ description: "Empty if that is not known." }),
});
export type HistoryMark = Readonly<z.output<typeof markSchema>>;

/** What happened, by the minute or hour. Counts of attempts, never of jobs that are kept. */
export const historySchema = z.object({
  from: instant,
  to: instant.meta({ description: "Exclusive; the last step may end later." }),
  stepMs: z.int(),
  points: z.array(historyPointSchema).meta({ description: "One for each step, the oldest first." }),
  marks: z
    .array(markSchema)
    .meta({ description: "Starts of workers, pauses and bulk acts, the oldest first." }),
});
export type History = Readonly<z.output<typeof historySchema>>;

/** Which part of the history to read. */
export interface HistoryQuery {
  /** @default all */
  readonly queue?: string | undefined;
  /** @default all */
  readonly type?: string | undefined;
  /** Milliseconds since 1970. @default 3 hours before `to` */
  readonly from?: number | undefined;
  /** Milliseconds since 1970, exclusive. @default now */
  readonly to?: number | undefined;
  /** Milliseconds, whole minutes. @default what gives at most 240 points */
  readonly stepMs?: number | undefined;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DEFAULT_SPAN_MS = 3 * HOUR_MS;
const POINTS_WANTED = 240;
const POINTS_MAX = 3_000;
/** Steps that people can read. */
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440].map((minutes) => minutes * MINUTE_MS);

/**
 * Reads the history of some queues.
 *
 * @param now Redis's clock, in milliseconds since 1970
 * @throws HoldfastError `INVALID_REQUEST` for a time that ends before it begins, and for too many points
 */
export async function readHistory(
  partitions: readonly QueueStore[],
  { type, ...query }: Omit<HistoryQuery, "queue">,
  now: number,
): Promise<History> {
  const span = spanOf(query, now);
  const { from, to, stepMs, unit } = span;
  const [records, marks] = await Promise.all([
    Promise.all(partitions.map((store) => readHistoryRecords(store, unit, from, to))),
    Promise.all(partitions.map((store) => marksOf(store, from, to))),
  ]);
  const wanted = records.flat().filter((record) => type === undefined || record.type === type);
  return {
    from: isoTime(from),
    to: isoTime(to),
    stepMs,
    points: pointsOf(wanted, span),
    marks: marks.flat().sort((a, b) => a.at.localeCompare(b.at)),
  };
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly unit: HistoryUnit;
}

/** @throws HoldfastError `INVALID_REQUEST` */
function spanOf({ from, stepMs, ...query }: Omit<HistoryQuery, "queue" | "type">, now: number): Span {
  const to = query.to ?? now;
  const start = Math.max(from ?? to - DEFAULT_SPAN_MS, now - HOURS_KEPT_MS);
  if (start >= to)
    throw malformed([{ pointer: "/from", message: "expected an instant before to, of the last 15 days" }]);
  const shortest = start < now - MINUTES_KEPT_MS ? HOUR_MS : MINUTE_MS;
  const wanted = stepMs ?? steps.find((step) => (to - start) / step <= POINTS_WANTED) ?? HOUR_MS;
  const step = Math.ceil(Math.max(wanted, shortest) / shortest) * shortest;
  const span = { from: Math.floor(start / step) * step, to, stepMs: step };
  const points = Math.ceil((to - span.from) / step);
  if (points > POINTS_MAX)
    throw malformed([{ pointer: "/step", message: `expected at most ${POINTS_MAX} points, got ${points}` }]);
  return { ...span, unit: step % HOUR_MS === 0 ? "hour" : "minute" };
}

function pointsOf(records: readonly HistoryRecord[], { from, to, stepMs }: Span): HistoryPoint[] {
  const counts = Array.from({ length: Math.ceil((to - from) / stepMs) }, () => new HistoryCounts());
  for (const record of records) counts[Math.floor((record.at - from) / stepMs)]?.addAll(record.counts);
  return counts.map((step, index) => pointOf(from + index * stepMs, step));
}

function pointOf(at: number, counts: HistoryCounts): HistoryPoint {
  const outcomes = Object.fromEntries(
    historyOutcomes.map((outcome) => [outcome, counts.of(outcome)]),
  ) as Record<HistoryOutcome, number>;
  return {
    at: isoTime(at),
    ...outcomes,
    timeToStart: estimatesOf(counts.timeToStart),
    runTime: estimatesOf(counts.runTime),
  };
}

export function estimatesOf(durations: Durations): EstimatedPercentiles {
  const at = (share: number) => {
    const ms = durations.percentile(share);
    return ms === null ? null : Math.round(ms * 10) / 10;
  };
  return { count: durations.total, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

async function marksOf(store: QueueStore, from: number, to: number): Promise<HistoryMark[]> {
  const queue = queueOfPartition(store.queue);
  const marks = await readMarks(store, from, to);
  return marks.map((mark) => ({ ...mark, at: isoTime(mark.at), queue }));
}
