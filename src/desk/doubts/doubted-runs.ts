import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { findStoredName } from "../../core/effect/ledger/ledger-texts.ts";
import { jobStatusSchema } from "../../features/job-status.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { either, integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** The run that left an effect in doubt. */
export const doubtedRunShape = {
  mayStillRun: z.boolean().meta({
    description:
      "Whether its run may still be under way: then it can yet happen, whatever somebody has found out.",
  }),
  workerSeenAt: z.iso.datetime().nullable().meta({
    description: "When its worker was last seen; null once it has stopped, or was not seen for ten minutes.",
  }),
};

export type DoubtedRun = Readonly<z.output<z.ZodObject<typeof doubtedRunShape>>>;

export const detailedEffectsSchema = z
  .array(jobStatusSchema.shape.effects.element.extend(z.object(doubtedRunShape).partial().shape))
  .meta({
    description:
      "The job's side effects, as far as they were begun. Those in doubt have `mayStillRun` and `workerSeenAt`.",
  });
export type DetailedEffects = z.output<typeof detailedEffectsSchema>;
type Effects = z.output<typeof jobStatusSchema>["effects"];

/** Adds to each effect in doubt whether its run may still be under way. */
export async function withDoubtedRuns(
  store: QueueStore,
  dedupKey: string,
  effects: Effects,
): Promise<DetailedEffects> {
  const doubted = effects.filter(({ state }) => state === "in-doubt");
  if (doubted.length === 0) return effects;
  const stored = await Promise.all(doubted.map(({ name }) => findStoredName(store, dedupKey, name)));
  const runs = await readDoubtedRuns(
    store,
    stored.map((name) => `${dedupKey}/${name}`),
  );
  return effects.map((effect) => ({ ...effect, ...runs[doubted.indexOf(effect)] }));
}

/** Occupies Redis for about a millisecond. */
const SLICE = 250;

const script = loadScript(import.meta.url, "pending-runs.lua", listOf(tuple(integer, either(text, integer))));

/** @param members effects as the list of doubts has them, `<deduplication key>/<stored name>` */
export async function readDoubtedRuns(
  { client, keys }: QueueStore,
  members: readonly string[],
): Promise<DoubtedRun[]> {
  const runs: DoubtedRun[] = [];
  for (let at = 0; at < members.length; at += SLICE) {
    const args = [keys.ledgerStart, ...members.slice(at, at + SLICE)];
    const reply = await script.run(client, [keys.workersSeen], args);
    for (const [mayRun, seenAt] of reply)
      runs.push({
        mayStillRun: mayRun === 1,
        workerSeenAt: seenAt === "" ? null : nearestTime(Math.min(Number(seenAt), Date.now())),
      });
  }
  return runs;
}
