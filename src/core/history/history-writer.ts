import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { okReply } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { AttemptOutcome, ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition, PartitionPart, SubmittingProcess } from "../feature.ts";
import { type EndedAttempt, HistoryCounts, type HistoryOutcome } from "./history-counts.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long minutes can be read, and hours. */
export const MINUTES_KEPT_MS = 2 * DAY_MS;
export const HOURS_KEPT_MS = 15 * DAY_MS;

const WRITE_MS = 5_000;

const script = loadScript(import.meta.url, "write-history.lua", okReply);

/** Counts this process's accepted jobs in their queues' history. */
export function countSubmissions({ events, stores, jobs }: SubmittingProcess): Running {
  const writers = new Map<string, ReturnType<typeof startHistoryWriter>>();
  const writerOf = (queue: string) => {
    const known = writers.get(queue);
    if (known !== undefined) return known;
    const writer = startHistoryWriter(stores.of(queue));
    writers.set(queue, writer);
    return writer;
  };
  events.on("job.submitted", ({ type }, isNew) => {
    const contract = jobs.get(type);
    if (isNew && contract !== undefined) writerOf(contract.queue).of(type).add("submitted");
  });
  return { stop: stopOnce(() => stopAll([...writers.values()])) };
}

/** Counts a worker's attempts. Types that it does not know could be any number. */
export function countAttempts({ store, handlers }: ConsumedPartition): PartitionPart {
  const { of, stop } = startHistoryWriter(store);
  return {
    onAttemptEnd(job, outcome, runMs) {
      if (handlers.has(job.type)) of(job.type).addAttempt(endedAttempt(job, outcome, runMs));
    },
    stop,
  };
}

/**
 * Counts in memory, and writes the counts every few seconds until stopped, then once more. A process that dies loses the counts of its last five seconds. Counts whose write failed are
 * written later, in the minute of that write; if only the reply was lost, they count twice.
 */
function startHistoryWriter(store: QueueStore) {
  const { client, keys } = store;
  let counts = new Map<string, HistoryCounts>();

  /** The counts of a type that are not written yet. Not to be kept: a write begins new ones. */
  const of = (type: string): HistoryCounts => {
    const known = counts.get(type);
    if (known !== undefined) return known;
    const none = new HistoryCounts();
    counts.set(type, none);
    return none;
  };

  const write = oneAtATime(async () => {
    if (counts.size === 0) return;
    const sent = counts;
    counts = new Map();
    const texts = [...sent].flatMap(([type, typeCounts]) => [type, typeCounts.toString()]);
    // A whole key expires, so its first part is kept for that much longer.
    const kept = [MINUTES_KEPT_MS + HOUR_MS, HOURS_KEPT_MS + DAY_MS];
    try {
      await script.run(client, [keys.own("history:marks")], [keys.own("history:"), ...kept, ...texts]);
    } catch {
      // The connection's owner reports errors.
      for (const [type, unwritten] of sent) of(type).addAll(unwritten);
    }
  });

  const timer = setInterval(() => void write(), WRITE_MS);
  timer.unref();
  return {
    of,
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (client.status === "ready") await inTime(write().then(write)).catch(() => {});
    }),
  };
}

/** What an attempt's outcome means for its job. */
function endedAttempt(job: ClaimedJob, outcome: AttemptOutcome, runMs: number): EndedAttempt {
  const { readyAt, startedAt } = job;
  // A job that was due may have been submitted anew.
  const waitedMs = readyAt === undefined ? undefined : Math.max(0, startedAt - readyAt);
  return { outcome: endingOf(job, outcome), waitedMs, runMs };
}

const unlikeFailed: Readonly<Partial<Record<ErrorCode, HistoryOutcome>>> = {
  EFFECT_IN_DOUBT: "inDoubt",
  EXPIRED: "expired",
  CANCELLED: "cancelled",
};

function endingOf({ attemptsMade, maxAttempts }: ClaimedJob, outcome: AttemptOutcome): HistoryOutcome {
  if (outcome.kind !== "failed") return outcome.kind;
  const { code, retryable } = outcome.failure;
  if (retryable && attemptsMade + 1 < maxAttempts) return "retried";
  return unlikeFailed[code] ?? "failed";
}
