import { z } from "zod";
import { nearestTime } from "../lib/iso-time.ts";
import { groupFailures, readFailure, type StoredFailureGroup } from "../queue/failed-jobs.ts";
import type { QueueStore } from "../queue/queue-store.ts";

const instant = z.iso.datetime();

const failureGroupSchema = z.object({
  type: z.string(),
  code: z.string(),
  count: z.int(),
  firstAt: instant,
  lastAt: instant,
  message: z.string().meta({ description: "The latest failure's; others can differ." }),
  exampleId: z.string().meta({ description: "The latest of them." }),
});
export type FailureGroup = Readonly<z.output<typeof failureGroupSchema>>;

export const failureGroupsSchema = z.object({
  groups: z.array(failureGroupSchema).meta({ description: "The most frequent first, cancelled jobs last." }),
  scanned: z.int().meta({ description: "How many failed jobs were read, the latest first." }),
  isComplete: z.boolean().meta({ description: "Whether those were all." }),
});
export type FailureGroups = Readonly<z.output<typeof failureGroupsSchema>>;

/** Occupies Redis for a millisecond or two. */
const SLICE = 250;
const MESSAGE_MAX = 500;
/** Takes about half a second. */
const SCANNED_MAX = 50_000;
const TIME_MAX_MS = 1_000;

/**
 * Groups the failed jobs by type and code.
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

async function readSlice(store: QueueStore, offset: number) {
  const { read, groups } = await groupFailures(store, offset, SLICE);
  return { read, groups: groups.map((group) => describe(store, group)) };
}

function describe(store: QueueStore, group: StoredFailureGroup): FailureGroup {
  const { code, message } = readFailure(store, group.latestId, group.reason);
  return {
    type: group.type,
    code,
    count: group.count,
    firstAt: nearestTime(group.earliest),
    lastAt: nearestTime(group.latest),
    message: message.slice(0, MESSAGE_MAX),
    exampleId: group.latestId,
  };
}

function add(groups: Map<string, FailureGroup>, group: FailureGroup): void {
  const name = `${group.type}\n${group.code}`;
  const known = groups.get(name);
  if (known === undefined) {
    groups.set(name, group);
    return;
  }
  const [earlier, later] = known.lastAt <= group.lastAt ? [known, group] : [group, known];
  const [firstAt = later.firstAt] = [earlier.firstAt, later.firstAt].sort();
  groups.set(name, { ...later, count: known.count + group.count, firstAt });
}
