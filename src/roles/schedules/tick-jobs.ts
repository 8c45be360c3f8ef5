import { findDedupKeyHolder } from "../../core/bullmq/add/dedup-key-holder.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
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
export function openTickJobs(stores: QueueStores, retentionMs: number) {
  async function isEnqueued(schedule: Schedule, at: number): Promise<boolean> {
    const { job } = scheduleAt(schedule, at);
    return (await findDedupKeyHolder(stores, dedupKeyOf(job.type, tickKey(schedule, at)), job)) !== null;
  }
  return {
    isEnqueued,
    /**
     * Whether a tick before this instant was enqueued: asked of the latest, then of fewer and fewer.
     *
     * @param now milliseconds since 1970
     */
    async ranBefore(schedule: Schedule, before: number, now: number): Promise<boolean> {
      const earlier = ticksBetween(schedule, now - retentionMs, before);
      for (let index = 0; index < earlier.length; index += Math.max(1, index - EACH_OF))
        if (await isEnqueued(schedule, earlier[index] ?? 0)) return true;
      return false;
    },
  };
}

/** The latest ticks after `after` and before `before`, the latest first. */
function ticksBetween({ timetable }: Schedule, after: number, before: number): number[] {
  const ticks: number[] = [];
  for (let until = before; ticks.length < LOOKED_BACK; until = ticks.at(-1) ?? before) {
    const found = timetable.latest(STEP, until - 1).filter((at) => at > after);
    ticks.push(...found);
    if (found.length < STEP) break;
  }
  return ticks;
}
