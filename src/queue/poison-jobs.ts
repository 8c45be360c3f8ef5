import { untilAnswered } from "../redis/until-answered.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";
import type { QueueStore } from "./queue-store.ts";

/** Jobs that were active at more than one crash of a worker. */
export interface PoisonJobs {
  /** Whether the job may be what crashed its workers. */
  mayBePoison(job: Pick<ClaimedJob, "crashes">): boolean;
  /** @returns undefined when the job may run now */
  defer(job: Pick<ClaimedJob, "id" | "crashes" | "lease">): Promise<AttemptOutcome | undefined>;
}

/** A first crash does not show which job caused it. */
const CRASHES_MIN = 2;

/**
 * Keeps a job that kills its worker from using up the attempts of the same neighbours each time: all jobs of a lost worker are
 * found together and would be claimed together again. After its second crash a job is deferred once, for a random time, so that
 * the killer mostly meets others.
 */
export function createPoisonJobs({ client, keys }: QueueStore, lockMs: number): PoisonJobs {
  return {
    mayBePoison: ({ crashes }) => crashes >= CRASHES_MIN,
    async defer({ id, crashes, lease }) {
      const isNewCrash = async () => {
        const deferredAt = await client.hget(keys.job(id), "deferredAtCrash");
        if (Number(deferredAt ?? 0) >= crashes) return false;
        await client.hset(keys.job(id), "deferredAtCrash", crashes);
        return true;
      };
      if (!(await untilAnswered(isNewCrash, { isLeased: () => lease.isLocked() }))) return undefined;
      return { kind: "deferred", delayMs: Math.ceil(Math.random() * 2 * lockMs) };
    },
  };
}
