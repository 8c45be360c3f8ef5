import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";

/** Which jobs of a queue have changed their state. A walk through its lists can miss those alone. */
export interface MovedJobs {
  /** Returns those of the time since the call before, each once; undefined if nobody can know. */
  next(): Promise<string[] | undefined>;
}

type Entry = readonly [id: string, fields: readonly string[]];

const PAGE = 1_000;
/** Events after which a job is in the same state as before, or has ended. */
const others: ReadonlySet<string | undefined> = new Set([
  "progress",
  "completed",
  "failed",
  "removed",
  "deduplicated",
]);

/** Reads BullMQ's events from now on: each change of a job's state is one. BullMQ keeps about 10,000, so read them often. */
export async function openMovedJobs({ client, keys }: QueueStore): Promise<MovedJobs> {
  let [[position] = [""]] = await client.xrevrange(keys.events, "+", "-", "COUNT", 1);

  /** The last event that was read comes first: if it is gone, so may be others. */
  async function page(): Promise<Entry[] | undefined> {
    const entries = await client.xrange(keys.events, position || "-", "+", "COUNT", PAGE);
    const isUnbroken = position !== "" && entries[0]?.[0] === position;
    position = entries.at(-1)?.[0] ?? position;
    return isUnbroken ? entries.slice(1) : undefined;
  }

  return {
    async next() {
      const moved = new Set<string>();
      for (let isEnd = false; !isEnd; ) {
        const entries = await page();
        if (entries === undefined) return undefined;
        for (const id of movedIn(entries)) moved.add(id);
        isEnd = entries.length < PAGE - 1;
      }
      return [...moved];
    },
  };
}

function movedIn(entries: readonly Entry[]): string[] {
  return entries.flatMap(([, fields]) => {
    const id = fieldIn(fields, "jobId");
    return id === undefined || others.has(fieldIn(fields, "event")) ? [] : [id];
  });
}

function fieldIn(fields: readonly string[], name: string): string | undefined {
  const at = fields.indexOf(name);
  return at < 0 ? undefined : fields[at + 1];
}
