import { inTime, redisUnavailable } from "../../../platform/redis/redis-errors.ts";
import { failpoint } from "../../failpoints.ts";
import { keyHolder, parseJobId, queueOfHolder, queueOfId } from "../../job/job-id.ts";
import type { QueueStores, WritableQueueStore } from "../store/queue-store.ts";
import { type DedupKeys, openDedupKeys } from "./dedup-keys.ts";
import type { JobAdder } from "./job-adder.ts";
import type { NewJob } from "./new-job.ts";

/** @param homes the queues or partitions in which the key can be claimed; the last is the job's own */
export type AddJob = (homes: readonly string[], job: NewJob) => Promise<string>;

interface TrailQueue {
  readonly adder: JobAdder;
  readonly dedupKeys: DedupKeys;
}

/** A step of the trail: the id that was found, and in which queue. */
interface Step {
  readonly candidate: string;
  readonly foundIn: string;
}

/** A trail visits each queue of a key once, and once more where two versions point at each other. */
const STEPS_MAX = 32;

type Open = (queue: string) => TrailQueue;

/**
 * Finds the one job of a key that has moved to another queue or partition: claims the key in the former queues, then adds the job in its own.
 *
 * Each queue remembers one job id for a key. An id of its own queue is that job: key and job are stored in one step. An id of
 * another queue points there, and that job may not exist yet, because its producer died between two steps: the next one to find it
 * adds it with that id. A remembered id never changes, so everybody who follows the trail ends at the same job, in whichever
 * version of the application.
 *
 * @param homes the queues or partitions in which the key can be claimed; the last is the job's own
 * @returns what has the key, as `keyHolder` reads it; if its content differs, its job may not exist
 */
async function walk(open: Open, job: NewJob, homes: readonly string[]): Promise<string> {
  let step: Step = { candidate: job.id, foundIn: homes.at(-1) ?? "" };
  for (const slot of homes) {
    const { candidate } = step;
    // In its own queue the key is claimed as the job is added.
    if (slot === queueOfId(candidate)) continue;
    const holder = await claimFor(open, slot, job, candidate);
    if (holder === candidate) continue;
    if ((queueOfHolder(holder) ?? slot) === slot) return holder;
    step = { candidate: holder, foundIn: slot };
  }
  await failpoint("submit:claimed", job.id);
  return await follow(open, job, step);
}

/** Follows an id of another queue that was found in a queue, until a queue has a job of its own for the key. */
async function follow(open: Open, job: NewJob, from: Step): Promise<string> {
  let trail: Step[] = [];
  let step = from;
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const { candidate } = step;
    const queue = queueOfId(candidate);
    if (queue === undefined) return candidate;
    const holder = await arrive(open, queue, job, step);
    if (keyHolder(holder).submission === candidate || queueOfHolder(holder) === queue) return holder;
    trail.push(step);
    step = { candidate: holder, foundIn: queue };
    const begin = trail.findIndex((earlier) => earlier.candidate === holder);
    if (begin >= 0) {
      step = await cut(open, [...trail.slice(begin + 1), step], job);
      trail = [];
    }
  }
  throw redisUnavailable(undefined, "The key is being claimed from several queues at once");
}

/** Claims the key for the candidate. A trail that other content has left is only read. */
async function claimFor(
  open: Open,
  queue: string,
  { id, dedup }: NewJob,
  candidate: string,
): Promise<string> {
  const { dedupKeys } = open(queue);
  if (isSameContent(candidate, id)) return await dedupKeys.claim(dedup.key, candidate, dedup.holdMs);
  return (await dedupKeys.holder(dedup.key)) ?? candidate;
}

/** Returns the id that the candidate's own queue has for the key. If it has none, the candidate's job is added. */
async function arrive(open: Open, queue: string, job: NewJob, { candidate, foundIn }: Step): Promise<string> {
  const { adder, dedupKeys } = open(queue);
  const { id, dedup } = job;
  if (candidate === id) return await adder.add(job);
  const [holder, exists] = await Promise.all([dedupKeys.holder(dedup.key), dedupKeys.hasJob(candidate)]);
  if (holder !== null) return holder;
  // Its key expired before the one that led here: adding the job again would run it again.
  if (exists || !isSameContent(candidate, id)) return candidate;
  await open(foundIn).dedupKeys.claim(dedup.key, candidate, dedup.holdMs);
  return await adder.add({ ...job, id: candidate });
}

/**
 * Two versions of an application, each of which calls the other's queue its former one, have claimed the key for each other, and
 * neither job can be added. Everybody releases the same claim, that in the first queue by name, for the job of that queue.
 */
async function cut(open: Open, circle: readonly Step[], { dedup }: NewJob): Promise<Step> {
  const [first] = circle.map(({ foundIn }) => foundIn).sort();
  const blocking = circle.find(({ foundIn }) => foundIn === first);
  const winner = circle.find(({ candidate }) => queueOfId(candidate) === first);
  if (first === undefined || blocking === undefined || winner === undefined) throw redisUnavailable();
  await open(first).dedupKeys.release(dedup.key, blocking.candidate);
  return winner;
}

/**
 * Opens what adds jobs, each unless its key is known in any of the queues in which it can be.
 *
 * @param adderOf adds jobs to one queue
 * @returns a function that adds a job, and returns what has its key, as `keyHolder` reads it
 */
export function openTrailAdder(
  stores: QueueStores<WritableQueueStore>,
  adderOf: (store: WritableQueueStore) => JobAdder,
): AddJob {
  const queues = new Map<string, TrailQueue>();
  const open = (queue: string) => {
    const known = queues.get(queue);
    if (known !== undefined) return known;
    const store = stores.of(queue);
    const opened = { adder: adderOf(store), dedupKeys: openDedupKeys(store) };
    queues.set(queue, opened);
    return opened;
  };
  return async (homes, job) => {
    const own = homes.at(-1) ?? "";
    if (homes.length > 1) return await inTime(walk(open, job, homes));
    const holder = await open(own).adder.add(job);
    if (keyHolder(holder).submission === job.id || queueOfHolder(holder) === own) return holder;
    return await inTime(follow(open, job, { candidate: holder, foundIn: own }));
  };
}

/** Whether two ids have the same fingerprint, so that their jobs have the same content. */
function isSameContent(id: string, other: string): boolean {
  const { fingerprint } = parseJobId(id) ?? {};
  return fingerprint !== undefined && other.endsWith(fingerprint);
}
