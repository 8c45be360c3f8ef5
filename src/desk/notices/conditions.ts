import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { readHistoryRecords } from "../../core/history/read-history.ts";
import type { Application } from "../../core/job/application.ts";
import { storesOfGuard } from "../../guard/places.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type { NoticeKind } from "../../roles/notices/feature.ts";
import { counted } from "../counted.ts";
import { readDepth } from "../outbox/read-outbox.ts";
import type { Overview } from "../overview/overview.ts";
import type { OverviewReader } from "../overview/read-overview.ts";
import { areAllQuiet } from "../workers/all-quiet.ts";
import type { Condition, NoticeLook } from "./episodes.ts";

/** When what needs a person. */
export interface Thresholds {
  readonly lateMs: number;
  /** From how many jobs on that failed for good in how many milliseconds, whole minutes. */
  readonly failures: { readonly count: number; readonly perMs: number };
}

export interface LookParts {
  readonly application: Application;
  readonly stores: QueueStores;
  readonly overviews: Pick<OverviewReader, "read">;
  readonly databaseUrl: string | undefined;
  readonly thresholds: Thresholds;
}

/**
 * Looks for everything that needs a person.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function lookAround(parts: LookParts): Promise<NoticeLook> {
  const { application, stores, overviews, thresholds } = parts;
  const overview = await overviews.read();
  const now = Date.parse(overview.at);
  // A queue whose slot is being moved can be read by nobody.
  const readable = overview.queues.map(({ name }) => name);
  const isWhole = readable.length === application.queues.length;
  const [doubts, failures, parked] = await Promise.all([
    inTime(doubtsOf(stores, readable)),
    inTime(failuresOf(stores.partitionsOf(readable), thresholds.failures, now)),
    parkedRows(overview.hasOutbox, parts.databaseUrl),
  ]);
  const found = [
    ...doubts,
    ...failures,
    ...(parked ?? []),
    ...lostWorkers(overview),
    ...lateQueues(overview, thresholds.lateMs),
    ...lostData(overview),
    ...brokenGuarantees(overview),
  ];
  const unread: NoticeKind[] = [
    ...(isWhole ? [] : (["doubt", "failures", "late", "worker-lost", "data-lost"] as const)),
    ...(parked === undefined ? (["parked"] as const) : []),
  ];
  return { found, unread };
}

const OUTSIDE_JOBS = "effects outside of jobs";

async function doubtsOf(stores: QueueStores, queues: readonly string[]): Promise<Condition[]> {
  const places = [
    ...queues.map((queue) => [`queue ${queue}`, stores.partitionsOf([queue])] as const),
    [OUTSIDE_JOBS, storesOfGuard(stores)] as const,
  ];
  const found = places.map(async ([subject, partitions]) => {
    const read = await Promise.all(partitions.map(readDoubts));
    const count = read.reduce((sum, doubts) => sum + doubts.count, 0);
    const newest = Math.max(...read.map((doubts) => doubts.newest));
    // Older runs can be put in doubt later than newer ones.
    return { subject, count, mark: newest + count };
  });
  return (await Promise.all(found)).flatMap(({ subject, count, mark }) =>
    count === 0
      ? []
      : {
          kind: "doubt",
          subject,
          count,
          mark,
          title: `${counted(count, "effect")} in doubt: ${subject}`,
          text: "Nobody can know whether they happened, and their jobs wait for a person. Ask whoever has the truth, then resolve them: holdfast doubts list.",
        },
  );
}

async function readDoubts({ client, keys }: QueueStore) {
  const [count, last] = await Promise.all([
    client.zcard(keys.doubts),
    client.zrevrange(keys.doubts, 0, 0, "WITHSCORES"),
  ]);
  return { count, newest: Number(last[1] ?? 0) };
}

const MINUTE_MS = 60_000;

/** What failed for good, by type: neither cancelled jobs nor those in doubt. */
async function failuresOf(
  partitions: readonly QueueStore[],
  { count: from, perMs }: Thresholds["failures"],
  now: number,
): Promise<Condition[]> {
  const since = Math.floor((now - perMs) / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const records = await Promise.all(
    partitions.map((store) => readHistoryRecords(store, "minute", since, now + MINUTE_MS)),
  );
  const failed = new Map<string, number>();
  for (const { type, counts } of records.flat())
    failed.set(type, (failed.get(type) ?? 0) + counts.of("failed") + counts.of("expired"));
  return [...failed]
    .filter(([, count]) => count >= from)
    .map(([type, count]) => ({
      kind: "failures",
      subject: `type ${type}`,
      count,
      // Twice as many are news.
      mark: Math.floor(Math.log2(count / from)),
      title: `${counted(count, "job")} of type ${type} failed for good within ${durationText(perMs)}`,
      text: `No further attempt follows. From ${from} in that time on you are told. See what they have in common: holdfast failures.`,
    }));
}

/** Undefined where nobody knows: the database did not answer. */
async function parkedRows(hasOutbox: boolean, url: string | undefined): Promise<Condition[] | undefined> {
  if (!hasOutbox) return url === undefined ? [] : undefined;
  const depth = await readDepth(url).catch(() => undefined);
  if (depth === undefined) return undefined;
  const { parked } = depth;
  if (parked === 0) return [];
  const title = `${counted(parked, "row")} of the outbox ${parked === 1 ? "is" : "are"} parked`;
  const text =
    "Their jobs cannot be accepted as they are, and rows with the same ordering key wait behind them. Mend or discard them: holdfast outbox parked.";
  return [{ kind: "parked", subject: "outbox", count: parked, mark: parked, title, text }];
}

const NAMED = 5;

function lostWorkers({ workers }: Overview): Condition[] {
  const lost = workers.filter(({ isSilent }) => isSilent);
  const seen = new Map<string, number>();
  // A worker is listed once for each queue.
  for (const { name, seenAt } of lost) seen.set(name, Math.max(seen.get(name) ?? 0, Date.parse(seenAt)));
  if (seen.size === 0) return [];
  const names = [...seen.keys()].sort();
  const others = names.length - NAMED;
  const list = `${names.slice(0, NAMED).join(", ")}${others > 0 ? ` and ${others} more` : ""}`;
  return [
    {
      kind: "worker-lost",
      subject: "workers",
      count: seen.size,
      mark: Math.max(...seen.values()),
      title: `${counted(seen.size, "worker")} lost: ${list}`,
      text: "Without a heartbeat: dead, or cut off from Redis. Other workers run their jobs when their locks expire. It is over when they are back, or ten minutes after their last heartbeat.",
    },
  ];
}

function lateQueues({ queues, at }: Overview, lateMs: number): Condition[] {
  return queues.flatMap((queue) => {
    const { name, oldestWaitingSince, waiting, prioritized, paused, workers } = queue;
    const ageMs = oldestWaitingSince === null ? 0 : Date.parse(at) - Date.parse(oldestWaitingSince);
    if (ageMs < lateMs) return [];
    const why =
      paused === null
        ? `${counted(workers, "worker")} alive${areAllQuiet(queue) ? ", told to claim no more jobs" : ""}.`
        : `The queue is paused${paused.by === "" ? "" : ` by ${paused.by}`}.`;
    return {
      kind: "late",
      subject: `queue ${name}`,
      count: waiting + prioritized,
      mark: 0,
      title: `queue ${name} is late: its oldest job has waited for ${durationText(ageMs)}`,
      text: `${counted(waiting + prioritized, "job")} waiting. ${why} Find the cause: holdfast doctor.`,
    };
  });
}

function lostData({ problems }: Overview): Condition[] {
  return problems
    .filter(({ code }) => code === "STORE_ROLLED_BACK")
    .map(({ message, remedy }) => ({
      kind: "data-lost",
      // Up to what was found.
      subject: message.slice(0, message.indexOf(":")),
      count: 1,
      mark: 0,
      title: "Redis has lost data that it had acknowledged",
      text: `${message}. Remedy: ${remedy}`,
    }));
}

function brokenGuarantees({ store: { guarantees } }: Overview): Condition[] {
  return guarantees
    .filter(({ holds }) => !holds)
    .map(({ name, detail }) => ({
      kind: "guarantee",
      subject: name,
      count: 1,
      mark: 0,
      title: `A guarantee no longer holds: ${name}`,
      text: detail,
    }));
}

/** Where an API cannot look. */
export function redisUnreachable(message: string): Condition {
  return {
    kind: "redis",
    subject: "Redis",
    count: 1,
    mark: 0,
    title: "Redis cannot be reached",
    text: `${message}. No job is accepted and none starts; nothing is lost by that alone.`,
  };
}

/** Of what the end says: what is no longer so. */
const overTitles: Readonly<Record<NoticeKind, (subject: string) => string>> = {
  doubt: (subject) => `no effect in doubt: ${subject}`,
  failures: (subject) => `no longer too many failures: ${subject}`,
  "worker-lost": () => "no worker is lost",
  late: (subject) => `${subject} is no longer late`,
  parked: () => "no row of the outbox is parked",
  "data-lost": (subject) => `${subject}: accepted`,
  guarantee: (subject) => `the guarantee holds again: ${subject}`,
  redis: () => "Redis can be reached",
};

export function overTitle(kind: NoticeKind, subject: string): string {
  return `Over: ${overTitles[kind](subject)}`;
}

const pages: Readonly<Record<NoticeKind, string>> = {
  doubt: "/doubts",
  failures: "/failed",
  "worker-lost": "/",
  late: "/",
  parked: "/outbox",
  "data-lost": "/",
  guarantee: "/",
  redis: "/",
};

/** The page of the console that shows it. */
export function pageOf(kind: NoticeKind): string {
  return pages[kind];
}
