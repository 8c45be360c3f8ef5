import { untilAnswered } from "../redis/until-answered.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";
import type { QueueStore } from "./queue-store.ts";

/** Jobs that were at work more than once when their worker was lost. */
export interface PoisonJobs {
  /** @returns undefined when the job may run now */
  setAside(job: Pick<ClaimedJob, "id" | "crashes" | "lease">): Promise<AttemptOutcome | undefined>;
}

/** A first crash says nothing about who caused it. */
const SUSPECT_CRASHES = 2;

/**
 * Keeps a job that kills its worker from taking the same neighbours along each time.
 *
 * All jobs that a lost worker held are found together, and would be taken again together, by one worker: one that kills
 * would then use up the starts of all. So after its second crash a job is set aside once for a random while before it
 * runs again; from then on the killer mostly meets others.
 */
export function createPoisonJobs({ client, keys }: QueueStore, lockMs: number): PoisonJobs {
  return {
    async setAside({ id, crashes, lease }) {
      if (crashes < SUSPECT_CRASHES) return undefined;
      const key = keys.job(id);
      const isNew = async () => {
        const setAsideAfter = await client.hget(key, "snoozedAfter");
        if (Number(setAsideAfter ?? 0) >= crashes) return false;
        await client.hset(key, "snoozedAfter", crashes);
        return true;
      };
      if (!(await untilAnswered(isNew, { isLeased: () => lease.isLocked() }))) return undefined;
      return { kind: "deferred", delayMs: Math.ceil(Math.random() * 2 * lockMs) };
    },
  };
}
