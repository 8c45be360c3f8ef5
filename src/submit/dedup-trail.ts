import type { JobContract } from "../job/define-job.ts";
import { queueOfId } from "../job/job-id.ts";
import type { DedupKeys } from "../queue/dedup-keys.ts";
import type { JobAdder } from "../queue/job-adder.ts";
import type { NewJob } from "../queue/new-job.ts";
import { redisUnavailable } from "../redis/redis-errors.ts";
import { failpoint } from "../telemetry/failpoints.ts";

/** What is done in the slot of one queue. */
export interface QueueSlot {
  readonly adder: JobAdder;
  readonly claimer: DedupKeys;
}

/**
 * Finds the one job of a key whose type has changed its queue.
 *
 * Each queue has a slot for the key. A slot that names an id of its own queue has that job: claim and job are one atomic
 * step. A slot that names an id of another queue points there, and the job may not exist yet, because its producer died
 * between the two steps: whoever comes by adds it, with that very id. A slot that is held never changes, so that all who
 * follow the trail end at the same job, whichever version of the application they are.
 */
export interface DedupTrail {
  /**
   * Claims the key in the former queues' slots, then adds the job in its own.
   *
   * @returns the id of the job that has the key; where its content is other than the job's, that job may not exist
   */
  walk(job: NewJob, contract: JobContract): Promise<string>;
  /** Follows a claim that was found in the slot of the job's own queue, and that names an id of another. */
  follow(job: NewJob, found: string, foundIn: string): Promise<string>;
}

/** Each queue of a type is met once, and once more where two versions point at each other; more is a fault. */
const STEPS_MAX = 32;

/** @param isSameContent by what ids say of it: a trail that other content has left is read, and nothing added to it */
export function openDedupTrail(
  slotOf: (queue: string) => QueueSlot,
  isSameContent: (id: string, as: string) => boolean,
): DedupTrail {
  /** Claims the key in a slot on the trail for whom the trail leads to by now. */
  async function meet(queue: string, job: NewJob, candidate: string): Promise<string> {
    const { claimer } = slotOf(queue);
    if (isSameContent(candidate, job.id)) return await claimer.claim(job.dedupKey, candidate, job.dedupKeyMs);
    return (await claimer.holder(job.dedupKey)) ?? candidate;
  }

  /** Who has the key in the slot of the candidate's queue: where nobody has it, the candidate's job is added. */
  async function arrive(queue: string, job: NewJob, candidate: string, foundIn: string): Promise<string> {
    const { adder, claimer } = slotOf(queue);
    if (candidate === job.id) return await adder.add(job);
    const [holder, exists] = await Promise.all([claimer.holder(job.dedupKey), claimer.hasJob(candidate)]);
    if (holder !== null) return holder;
    // Its claim has run out before the one that led here. To add it again would be to run it again.
    if (exists || !isSameContent(candidate, job.id)) return candidate;
    await slotOf(foundIn).claimer.claim(job.dedupKey, candidate, job.dedupKeyMs);
    return await adder.add({ ...job, id: candidate });
  }

  async function follow(job: NewJob, found: string, foundIn: string): Promise<string> {
    let trail: Step[] = [];
    let step: Step = { candidate: found, foundIn };
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const { candidate } = step;
      const queue = queueOfId(candidate);
      if (queue === undefined) return candidate;
      const holder = await arrive(queue, job, candidate, step.foundIn);
      if (holder === candidate || queueOfId(holder) === queue) return holder;
      trail.push(step);
      step = { candidate: holder, foundIn: queue };
      const begin = trail.findIndex((earlier) => earlier.candidate === holder);
      if (begin >= 0) {
        step = await cut([...trail.slice(begin + 1), step], job);
        trail = [];
      }
    }
    throw redisUnavailable(undefined, "The key is being claimed from several queues at once");
  }

  /**
   * Two versions, each of which calls the other's queue its former one, have claimed the key for each other: neither's job
   * can be added. All who see that open the same slot, that of the first queue by name, for the id that names it.
   */
  async function cut(circle: readonly Step[], job: NewJob): Promise<Step> {
    const [first] = circle.map(({ foundIn }) => foundIn).sort();
    const blocking = circle.find(({ foundIn }) => foundIn === first);
    const winner = circle.find(({ candidate }) => queueOfId(candidate) === first);
    if (first === undefined || blocking === undefined || winner === undefined) throw redisUnavailable();
    await slotOf(first).claimer.release(job.dedupKey, blocking.candidate);
    return winner;
  }

  return {
    follow,
    async walk(job, { queue, formerQueues }) {
      let step: Step = { candidate: job.id, foundIn: queue };
      // In its own slot the job is claimed as it is added; for another's id it must be claimed there, too.
      for (const slot of [...formerQueues, queue]) {
        const { candidate } = step;
        if (slot === queueOfId(candidate)) continue;
        const holder = await meet(slot, job, candidate);
        if (holder === candidate) continue;
        if ((queueOfId(holder) ?? slot) === slot) return holder;
        step = { candidate: holder, foundIn: slot };
      }
      await failpoint("submit:claimed", job.id);
      return await follow(job, step.candidate, step.foundIn);
    },
  };
}

/** Where a trail leads to next, and the queue in whose slot that was found. */
interface Step {
  readonly candidate: string;
  readonly foundIn: string;
}
