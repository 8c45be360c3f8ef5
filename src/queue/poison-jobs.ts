import type { RedisConnection } from "../redis/connection.ts";
import { queueKey } from "../redis/keys.ts";
import { untilAnswered } from "../redis/until-answered.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";

interface PoisonJobsOptions {
  readonly prefix: string;
  readonly queue: string;
  readonly connection: RedisConnection;
  readonly lockMs: number;
}

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
export function createPoisonJobs({ prefix, queue, connection, lockMs }: PoisonJobsOptions): PoisonJobs {
  return {
    async setAside({ id, crashes, lease }) {
      if (crashes < SUSPECT_CRASHES) return undefined;
      const key = queueKey(prefix, queue, id);
      const isNew = async () => {
        const setAsideAfter = await connection.hget(key, "setAside");
        if (Number(setAsideAfter ?? 0) >= crashes) return false;
        await connection.hset(key, "setAside", crashes);
        return true;
      };
      if (!(await untilAnswered(isNew, { isLeased: () => lease.isLocked() }))) return undefined;
      return { kind: "postponed", delayMs: Math.ceil(Math.random() * 2 * lockMs) };
    },
  };
}
