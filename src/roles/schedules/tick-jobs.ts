import { findDedupKeyHolder } from "../../core/bullmq/add/dedup-key-holder.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import type { Compute } from "../../platform/lib/in-turns.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { type Schedule, scheduleAt } from "./define-schedule.ts";
import { tickKey } from "./tick-keys.ts";

/** A tick without a job counts as missed after this time: until then its scheduler may be retrying. */
export const GRACE_MS = 60_000;

const LOOKED_BACK = 1_024;
/** A tick of a zone takes 50 µs to find, and most schedules have few within the retention. */
const STEP = 64;
/** Of so many of the latest, each is asked. */
const EACH_OF = 8;

export type TickJobs = ReturnType<typeof openTickJobs>;

/** Whether ticks were enqueued, as far as their keys are remembered. */
export function openTickJobs(stores: QueueStores, retentionMs: number, compute: Compute) {
  async function isEnqueued(schedule: Schedule, at: number): Promise<boolean> {
    const { job } = scheduleAt(schedule, at);
    return (await findDedupKeyHolder(stores, dedupKeyOf(job.type, tickKey(schedule, at)), job)) !== null;
  }

  /** The latest ticks after `after` and before `before`, the latest first. */
  async function ticksBetween({ timetable }: Schedule, after: number, before: number): Promise<number[]> {
    const ticks: number[] = [];
    // Of a rare pattern, the tick that is known is older than that already, and the one before takes long to find.
    if (before <= after) return ticks;
    for (let until = before; ticks.length < LOOKED_BACK; until = ticks.at(-1) ?? before) {
      const found = (await compute(() => timetable.latest(STEP, until - 1))).filter((at) => at > after);
      ticks.push(...found);
      if (found.length < STEP) break;
    }
    return ticks;
  }

  async function isOneEnqueued(schedule: Schedule, ticks: readonly number[]): Promise<boolean> {
    for (let index = 0; index < ticks.length; index += Math.max(1, index - EACH_OF))
      if (await isEnqueued(schedule, ticks[index] ?? 0)) return true;
    return false;
  }

  return {
    isEnqueued,
    /**
     * Whether a tick before this instant was enqueued: asked of the latest, then of fewer and fewer.
     *
     * @param now milliseconds since 1970
     */
    async ranBefore(schedule: Schedule, before: number, now: number): Promise<boolean> {
      const earlier = await ticksBetween(schedule, now - retentionMs, before);
      return await inTime(isOneEnqueued(schedule, earlier));
    },
  };
}
