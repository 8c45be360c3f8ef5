import { z } from "zod";
import { readFailure } from "../../core/bullmq/readable.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { readFirstFailures } from "../../core/watch/first-failures.ts";
import { readNewestVersion } from "../../core/watch/heartbeat.ts";
import { codesForLua, messagePattern as patternOf } from "../../core/watch/message-pattern.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { CLOCK_TOLERANCE_MS, redisNow } from "../../platform/redis/fitness/clock.ts";
import { begins, either, integer, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const instant = z.iso.datetime();

const failureGroupSchema = z.object({
  type: z.string(),
  code: z.string(),
  count: z.int(),
  firstAt: instant,
  lastAt: instant,
  messagePattern: z.string().nullable().meta({
    description:
      "How their messages read without numbers, ids, addresses and quoted parts: a filter of jobs. Null for the rest, where there are too many.",
  }),
  message: z.string().meta({ description: "The latest failure's." }),
  exampleId: z.string().meta({ description: "The latest of them." }),
  lastDay: z.array(z.int()).meta({
    description: "How many of them failed in each of the last 24 hours, the oldest hour first.",
  }),
  newSince: z.object({ version: z.string(), at: instant }).nullable().meta({
    description:
      "The newest version of the application among its queue's workers, and when it was first seen, where no attempt is known that failed so before. Null otherwise, and where workers say no version.",
  }),
});
export type FailureGroup = Readonly<z.output<typeof failureGroupSchema>>;

export const failureGroupsSchema = z.object({
  at: instant.meta({
    description: "When they were read, by Redis's clock: `before` of an act on just these.",
  }),
  groups: z.array(failureGroupSchema).meta({ description: "The most frequent first, cancelled jobs last." }),
  scanned: z.int().meta({ description: "How many of BullMQ's failed jobs were read, the latest first." }),
  isComplete: z
    .boolean()
    .meta({ description: "Whether those were all. If not, each count is at least that." }),
});
export type FailureGroups = Readonly<z.output<typeof failureGroupsSchema>>;

/** How many jobs of BullMQ's state failed are what to people. */
export const failedCountShape = {
  failed: z.int().meta({
    description:
      "Failed for good, while they are kept: neither cancelled nor in doubt, though BullMQ's state is the same.",
  }),
  cancelled: z.int().meta({ description: "Cancelled, while they are kept." }),
  failedInDoubt: z.int().meta({ description: "Jobs that ended because an effect of theirs is in doubt." }),
  isFailedExact: z.boolean().meta({
    description: "If not, the last three are at least that: not all failed jobs are read yet.",
  }),
};
export type FailedCount = Readonly<z.output<z.ZodObject<typeof failedCountShape>>>;

/** Groups and counts failed jobs. All who show how many there are have their number from here. */
export interface FailureReader {
  /** @throws HoldfastError `STORE_UNAVAILABLE` */
  groups(partitions: readonly QueueStore[]): Promise<FailureGroups>;
  /** Counts those of a queue, without waiting for long. */
  count(partitions: readonly QueueStore[]): Promise<FailedCount>;
}

const header = [integer, integer, text, text, text, text] as const;
const script = loadScript(import.meta.url, "failures.lua", begins(header, either(text, integer)));
const GROUP_VALUES = 8;
/** Occupies Redis for a millisecond or two, and for 4 ms where all messages differ. */
const SLICE = 200;
const MESSAGE_MAX = 500;
/** Messages without any pattern would give a group each. */
const GROUPS_MAX = 500;
/** One call reads for so long at most; the next one goes on. */
const TIME_MAX_MS = 700;
/** Whoever only counts does not wait longer. */
const COUNT_WITHIN_MS = 300;
/** Counting takes one in so many milliseconds at most. */
const READING_SHARE = 20;
const RENEWED_AFTER_MS = 60_000;

/** Opens a reader that remembers what it has read, and reads from then on what is new. */
export function openFailureReader(): FailureReader {
  const known = new Map<string, FailedJobs>();
  const of = (store: QueueStore) => {
    const jobs = known.get(store.queue) ?? new FailedJobs(store);
    known.set(store.queue, jobs);
    return jobs;
  };
  return {
    async groups(partitions) {
      const [first] = partitions;
      const readAt = first === undefined ? Date.now() : await redisNow(first.client);
      const parts = await Promise.all(partitions.map((store) => of(store).read(true)));
      const groups: Groups = new Map();
      for (const group of parts.flatMap(atLeast)) add(groups, group);
      const sorted = [...folded(groups).values()].sort(byUrgency);
      return {
        at: nearestTime(Math.min(Math.max(readAt, ...parts.map(endOf)), readAt + CLOCK_TOLERANCE_MS)),
        groups: await withVersions(partitions, sorted),
        scanned: parts.reduce((sum, { scanned }) => sum + scanned, 0),
        isComplete: parts.every(
          ({ isComplete, isExact, renewed }) => isComplete && (isExact || renewed === undefined),
        ),
      };
    },
    async count(partitions) {
      const parts = await Promise.all(
        partitions.map(async (store) => {
          const jobs = of(store);
          return await withDeadline(jobs.read(false), COUNT_WITHIN_MS, () => new Error("later")).catch(() =>
            jobs.soFar(),
          );
        }),
      );
      return countOf(parts);
    },
  };
}

/** Marks what has failed only since the newest version of the application came to its queue. */
async function withVersions(
  stores: readonly QueueStore[],
  groups: readonly Counted[],
): Promise<FailureGroup[]> {
  const read = async (store: QueueStore) =>
    [store.queue, await readNewestVersion(store), await readFirstFailures(store, groups)] as const;
  const known = await Promise.all(stores.map(read));
  const newestIn = new Map(known.map(([queue, newest]) => [queue, newest]));
  return groups.map((group, index) => {
    const newest = newestIn.get(queueOfId(group.exampleId) ?? "");
    const firsts = known.map(([, , first]) => first[index] ?? Number.POSITIVE_INFINITY);
    const isNew =
      newest !== undefined &&
      group.messagePattern !== null &&
      Math.min(Date.parse(group.firstAt), ...firsts) >= newest.at;
    return { ...group, newSince: isNew ? { version: newest.version, at: nearestTime(newest.at) } : null };
  });
}

/** The instant after the latest failure: a worker's clock may be ahead of Redis's. */
function endOf({ groups }: Read): number {
  return groups.reduce((latest, { lastAt }) => Math.max(latest, Date.parse(lastAt) + 1), 0);
}

/** Before anybody has asked for versions. */
type Counted = Omit<FailureGroup, "newSince">;
type Groups = Map<string, Counted>;

/** What was read of a partition. */
interface Read {
  readonly groups: readonly Counted[];
  readonly scanned: number;
  readonly isComplete: boolean;
  /** How many of those that were read are not among the failed jobs any more. */
  readonly lost: number;
  /** Whether that is all that there is, and nothing else. */
  readonly isExact: boolean;
  /** What is read anew so far, where that could not be finished. */
  readonly renewed: Groups | undefined;
}

/** Of each group so many as there are for sure, whichever of its jobs are gone. */
function atLeast({ groups, lost, renewed }: Read): readonly Counted[] {
  if (renewed === undefined) return groups;
  return groups.map((group) => {
    const again = renewed.get(nameOf(group))?.count ?? 0;
    return { ...group, count: Math.max(again, group.count - lost, 0) };
  });
}

function countOf(parts: readonly Read[]): FailedCount {
  const groups = parts.flatMap((part) => part.groups);
  const lost = parts.reduce((total, part) => total + part.lost, 0);
  const sum = (isWanted: (code: string) => boolean) => {
    const read = groups.filter(({ code }) => isWanted(code)).reduce((total, { count }) => total + count, 0);
    return Math.max(read - lost, 0);
  };
  const [cancelled, failedInDoubt] = [sum((code) => code === CANCELLED), sum((code) => code === IN_DOUBT)];
  const failed = sum((code) => code !== CANCELLED && code !== IN_DOUBT);
  return { failed, cancelled, failedInDoubt, isFailedExact: parts.every(({ isExact }) => isExact) };
}

const CANCELLED = "CANCELLED";
const IN_DOUBT = "EFFECT_IN_DOUBT";

/** The failed jobs of a partition, as they were read so far. */
class FailedJobs {
  readonly #store: QueueStore;
  #pass: Pass;
  /** Reads everything anew; until it has, the former one counts. */
  #next: Pass | undefined;
  #reading: Promise<Read> | undefined;

  constructor(store: QueueStore) {
    this.#store = store;
    this.#pass = new Pass(store);
  }

  /** Also while it is being read. */
  soFar(): Read {
    return { ...this.#pass.result(), renewed: this.#next?.groups };
  }

  /**
   * Reads what has failed since the last call, and more of what was there before.
   *
   * @param isFresh whether it must know of everything before the call; otherwise callers share a run
   */
  async read(isFresh: boolean): Promise<Read> {
    const underWay = this.#reading;
    if (underWay !== undefined && !isFresh) return await underWay;
    const reading = Promise.resolve(underWay)
      .catch(() => {})
      .then(() => this.#step(isFresh));
    this.#reading = reading;
    try {
      return await reading;
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
  }

  async #step(isFresh: boolean): Promise<Read> {
    const endAt = performance.now() + TIME_MAX_MS;
    if (this.#next === undefined) await this.#pass.read(endAt);
    if (this.#isOutdated(isFresh)) this.#next ??= new Pass(this.#store);
    if (this.#next !== undefined) {
      await this.#next.read(endAt);
      if (this.#next.isComplete()) {
        this.#pass = this.#next;
        this.#next = undefined;
      }
    }
    return this.soFar();
  }

  /** Which of them were retried, deleted or trimmed, only the rest tells; and the hours of a day go on. */
  #isOutdated(isFresh: boolean): boolean {
    const ageMs = performance.now() - this.#pass.doneAt;
    if (!this.#pass.isComplete()) return false;
    if (this.#pass.hasChanged()) return isFresh || ageMs > READING_SHARE * this.#pass.tookMs;
    return ageMs > Math.max(RENEWED_AFTER_MS, READING_SHARE * this.#pass.tookMs);
  }
}

type Direction = "newer" | "older";
type Mark = readonly [id: string, score: string];
const END: Mark = ["", ""];

/** One pass over the failed jobs of a partition, the latest first, and then over those that fail later. */
class Pass {
  readonly #store: QueueStore;
  #groups: Groups = new Map();
  #scanned = 0;
  #stored = 0;
  #newest: Mark | undefined;
  #oldest = END;
  #isAtEnd = false;
  /** How long reading took until it was complete. */
  tookMs = 0;
  doneAt = 0;

  constructor(store: QueueStore) {
    this.#store = store;
  }

  /** Whether all failed jobs were read. */
  isComplete(): boolean {
    return this.#isAtEnd;
  }

  /** Whether others are among the failed jobs now than those that were read. */
  hasChanged(): boolean {
    return this.#isAtEnd && this.#scanned !== this.#stored;
  }

  get groups(): Groups {
    return this.#groups;
  }

  result(): Omit<Read, "renewed"> {
    return {
      groups: [...this.#groups.values()],
      scanned: this.#scanned,
      isComplete: this.#isAtEnd,
      lost: Math.max(this.#scanned - this.#stored, 0),
      isExact: this.#isAtEnd && !this.hasChanged(),
    };
  }

  async read(endAt: number): Promise<void> {
    const begunAt = performance.now();
    if (this.#newest !== undefined || this.#isAtEnd) await this.#walk("newer", endAt);
    if (this.#isAtEnd) return;
    this.#isAtEnd = await this.#walk("older", endAt);
    this.tookMs += performance.now() - begunAt;
    this.doneAt = performance.now();
    // What has failed while it read.
    if (this.#isAtEnd) await this.#walk("newer", endAt);
  }

  /** @returns whether it came to the end of the list */
  async #walk(direction: Direction, endAt: number): Promise<boolean> {
    for (;;) {
      const mark = (direction === "newer" ? this.#newest : this.#oldest) ?? END;
      const slice = await readSlice(this.#store, direction, mark);
      this.#stored = slice.stored;
      this.#scanned += slice.read;
      for (const group of slice.groups) add(this.#groups, group);
      this.#groups = folded(this.#groups);
      if (slice.read > 0) this.#moveMarks(direction, slice.first, slice.last);
      if (slice.read < SLICE) return true;
      if (performance.now() > endAt) return false;
    }
  }

  #moveMarks(direction: Direction, first: Mark, last: Mark): void {
    if (direction === "newer") {
      this.#newest = last;
      return;
    }
    this.#newest ??= first;
    this.#oldest = last;
  }
}

async function readSlice(store: QueueStore, direction: Direction, [id, score]: Mark) {
  const { client, keys } = store;
  const args = [keys.start, direction, id, score, SLICE, codesForLua];
  const [read, stored, firstId, firstScore, lastId, lastScore, ...values] = await script.run(
    client,
    [keys.failed],
    args,
  );
  const groups = Array.from({ length: values.length / GROUP_VALUES }, (_, index) =>
    groupIn(store, values.slice(index * GROUP_VALUES, (index + 1) * GROUP_VALUES)),
  );
  const marks = { first: [firstId, firstScore] as const, last: [lastId, lastScore] as const };
  return { read, stored, ...marks, groups };
}

/** The most frequent first; cancelled jobs last, since somebody wanted that. */
function byUrgency(a: Counted, b: Counted): number {
  return Number(a.code === "CANCELLED") - Number(b.code === "CANCELLED") || b.count - a.count;
}

/** Of one type and code, whose messages have one pattern; the hours are of the last day, the latest first. */
function groupIn(store: QueueStore, values: readonly (string | number)[]): Counted {
  const [type, count, earliest, latest, latestId, reason, pattern, hours] = values.map(String);
  const { code, message } = readFailure(store, latestId ?? "", reason ?? "");
  return {
    type: type ?? "",
    code,
    // None where the message is encrypted: then it is one job.
    messagePattern: pattern || patternOf(message),
    count: Number(count),
    firstAt: nearestTime(Number(earliest)),
    lastAt: nearestTime(Number(latest)),
    message: message.slice(0, MESSAGE_MAX),
    exampleId: latestId ?? "",
    lastDay: (hours ?? "").split(",").map(Number).reverse(),
  };
}

function add(groups: Groups, group: Counted): void {
  const name = nameOf(group);
  const known = groups.get(name);
  if (known === undefined) {
    groups.set(name, group);
    return;
  }
  const [earlier, later] = known.lastAt <= group.lastAt ? [known, group] : [group, known];
  const [firstAt = later.firstAt] = [earlier.firstAt, later.firstAt].sort();
  const lastDay = known.lastDay.map((failed, hour) => failed + (group.lastDay[hour] ?? 0));
  groups.set(name, { ...later, count: known.count + group.count, firstAt, lastDay });
}

/** Where there are too many patterns, those that failed last keep theirs, and the others of each type and code are one group. */
function folded(groups: Groups): Groups {
  if (groups.size <= GROUPS_MAX + SLICE) return groups;
  const latestFirst = [...groups.values()].sort((one, other) => other.lastAt.localeCompare(one.lastAt));
  const kept: Groups = new Map();
  for (const [at, group] of latestFirst.entries())
    add(kept, at < GROUPS_MAX ? group : { ...group, messagePattern: null });
  return kept;
}

function nameOf({ type, code, messagePattern }: Counted): string {
  return `${type}\n${code}\n${messagePattern ?? ""}`;
}
