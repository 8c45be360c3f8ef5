import { z } from "zod";
import type { Partitions } from "../../core/bullmq/queue-control.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { either, integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const countsShape = {
  waiting: z.int().meta({ description: "In line, or held." }),
  running: z.int(),
  started: z.int().meta({
    description: "In the last five minutes, of the latest 400 that completed, that failed, and that run.",
  }),
  failed: z.int().meta({ description: "Of those that are kept; cancelled ones are among them." }),
};

const typeSchema = z.object({ type: z.string(), ...countsShape });
const keySchema = z.object({ key: z.string().meta({ description: "Its label." }), ...countsShape });

export const crowdSchema = z.object({
  types: z.array(typeSchema),
  keys: z.array(keySchema).meta({ description: "At most 50." }),
  withoutLabel: z.object(countsShape).meta({
    description:
      "Of the jobs whose key has no label, or that have no key: nothing tells them apart, and they can be paused only by type.",
  }),
  isEstimate: z.boolean().meta({
    description: "Whether a list was so long that its numbers are computed from 400 jobs spread over it.",
  }),
});
export type Crowd = Readonly<z.output<typeof crowdSchema>>;
type Counts = Readonly<z.output<z.ZodObject<typeof countsShape>>>;

/** Occupies Redis for a few milliseconds. */
const LOOKED_AT = 400;
const PIECES = 20;
const STARTED_MS = 5 * 60_000;
const KEYS_MAX = 50;
const FIELDS = 3;

const lists = listOf(either(text, integer));
const script = loadScript(
  import.meta.url,
  "crowd.lua",
  tuple(lists, lists, lists, lists, lists, lists, lists),
);

interface Found {
  readonly type: string;
  readonly label: string;
  readonly counts: Partial<Counts>;
  readonly isEstimate: boolean;
}

/** Reads whose jobs a queue has, those with the most waiting ones first. */
export async function readCrowd(partitions: Partitions): Promise<Crowd> {
  const since = Math.floor(await redisNow(partitions[0].client)) - STARTED_MS;
  const found = (await Promise.all(partitions.map((store) => readPartition(store, since)))).flat();
  const types = summedBy(found, ({ type }) => type);
  const byLabel = new Map(summedBy(found, ({ label }) => label));
  const withoutLabel = byLabel.get("") ?? NONE;
  byLabel.delete("");
  return {
    types: types.map(([type, counts]) => ({ type, ...counts })),
    keys: [...byLabel].slice(0, KEYS_MAX).map(([key, counts]) => ({ key, ...counts })),
    withoutLabel,
    isEstimate: found.some(({ isEstimate }) => isEstimate),
  };
}

async function readPartition({ client, keys }: QueueStore, since: number): Promise<Found[]> {
  const reply = await script.run(client, [keys.meta], [keys.start, LOOKED_AT, PIECES, since]);
  const [wait, paused, prioritized, held, active, failed, started] = reply;
  return [
    ...[wait, paused, prioritized, held].flatMap((list) => foundIn(list, "waiting")),
    ...foundIn(active, "running"),
    ...foundIn(failed, "failed"),
    ...foundIn(started, "started"),
  ];
}

function foundIn([length, looked, ...found]: readonly (string | number)[], as: keyof Counts): Found[] {
  const share = Number(length) / Math.max(1, Number(looked));
  return Array.from({ length: found.length / FIELDS }, (_, index) => {
    const [type = "", label = "", count] = found.slice(index * FIELDS);
    const counts = { [as]: Math.round(Number(count) * share) };
    return { type: String(type), label: String(label), counts, isEstimate: share > 1 };
  });
}

function summedBy(
  found: readonly Found[],
  nameOf: (found: Found) => string,
): [name: string, counts: Counts][] {
  const sums = new Map<string, Counts>();
  for (const one of found) {
    const { waiting, running, started, failed } = sums.get(nameOf(one)) ?? NONE;
    const { counts } = one;
    sums.set(nameOf(one), {
      waiting: waiting + (counts.waiting ?? 0),
      running: running + (counts.running ?? 0),
      started: started + (counts.started ?? 0),
      failed: failed + (counts.failed ?? 0),
    });
  }
  return [...sums].sort(([, a], [, b]) => b.waiting - a.waiting || b.started - a.started);
}

const NONE: Counts = { waiting: 0, running: 0, started: 0, failed: 0 };
