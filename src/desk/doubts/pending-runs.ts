import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** The run that left an effect in doubt. */
export interface DoubtedRun {
  /** Whether it may still be under way: then the effect can yet happen, whatever was found out. */
  readonly mayStillRun: boolean;
  /** When its worker was last seen; null once it has stopped, or was not seen for ten minutes. */
  readonly workerSeenAt: string | null;
}

/** Occupies Redis for about a millisecond. */
const SLICE = 250;

const script = loadScript(import.meta.url, "pending-runs.lua");

/** @param members effects as the list of doubts has them, `<deduplication key>/<stored name>` */
export async function readDoubtedRuns(
  { client, keys }: QueueStore,
  members: readonly string[],
): Promise<DoubtedRun[]> {
  const runs: DoubtedRun[] = [];
  for (let at = 0; at < members.length; at += SLICE) {
    const args = [keys.ledgerStart, ...members.slice(at, at + SLICE)];
    const reply = await script.run(client, [keys.workersSeen], args);
    for (const [mayRun, seenAt] of reply as [number, string][])
      runs.push({
        mayStillRun: mayRun === 1,
        workerSeenAt: seenAt === "" ? null : nearestTime(Number(seenAt)),
      });
  }
  return runs;
}
