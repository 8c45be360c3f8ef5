import { z } from "zod";
import { readFailure } from "../../core/bullmq/readable.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { begins, either, integer, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { codesForLua, messagePattern as patternOf } from "./message-pattern.ts";

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
});
export type FailureGroup = Readonly<z.output<typeof failureGroupSchema>>;

export const failureGroupsSchema = z.object({
  groups: z.array(failureGroupSchema).meta({ description: "The most frequent first, cancelled jobs last." }),
  scanned: z.int().meta({ description: "How many failed jobs were read, the latest first." }),
  isComplete: z.boolean().meta({ description: "Whether those were all." }),
});
export type FailureGroups = Readonly<z.output<typeof failureGroupsSchema>>;

const script = loadScript(import.meta.url, "failures.lua", begins([integer], either(text, integer)));
const GROUP_VALUES = 8;
/** Occupies Redis for a millisecond or two, and for 4 ms where all messages differ. */
const SLICE = 200;
const MESSAGE_MAX = 500;
/** Takes about half a second. */
const SCANNED_MAX = 50_000;
/** Messages without any pattern would give a group each. */
const GROUPS_MAX = 500;
const TIME_MAX_MS = 700;

/**
 * Groups the failed jobs by type, code and message.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function readFailureGroups(queues: readonly QueueStore[]): Promise<FailureGroups> {
  const groups = new Map<string, FailureGroup>();
  let scanned = 0;
  let isComplete = true;
  const endAt = performance.now() + TIME_MAX_MS;
  for (const store of queues) {
    for (let offset = 0; ; offset += SLICE) {
      if (scanned >= SCANNED_MAX || performance.now() > endAt) {
        isComplete = false;
        break;
      }
      const slice = await readSlice(store, offset);
      scanned += slice.read;
      for (const group of slice.groups) add(groups, group);
      if (slice.read < SLICE) break;
    }
  }
  return { groups: [...groups.values()].sort(byUrgency), scanned, isComplete };
}

/** The most frequent first; cancelled jobs last, since somebody wanted that. */
function byUrgency(a: FailureGroup, b: FailureGroup): number {
  return Number(a.code === "CANCELLED") - Number(b.code === "CANCELLED") || b.count - a.count;
}

/** Groups a slice of the failed jobs, the latest first. Returns also how many were read. */
async function readSlice(store: QueueStore, offset: number) {
  const { client, keys } = store;
  const args = [keys.start, offset, SLICE, codesForLua];
  const [read, ...values] = await script.run(client, [keys.failed], args);
  const groups = Array.from({ length: values.length / GROUP_VALUES }, (_, index) =>
    groupIn(store, values.slice(index * GROUP_VALUES, (index + 1) * GROUP_VALUES)),
  );
  return { read, groups };
}

/** Of one type and code, whose messages have one pattern; the hours are of the last day, the latest first. */
function groupIn(store: QueueStore, values: readonly (string | number)[]): FailureGroup {
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

function add(groups: Map<string, FailureGroup>, found: FailureGroup): void {
  const isOneTooMany = groups.size >= GROUPS_MAX && !groups.has(nameOf(found));
  const group = isOneTooMany ? { ...found, messagePattern: null } : found;
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

function nameOf({ type, code, messagePattern }: FailureGroup): string {
  return `${type}\n${code}\n${messagePattern ?? ""}`;
}
