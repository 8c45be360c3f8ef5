import { openEnvelope } from "../core/bullmq/add/envelope.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { submittedAt } from "../core/job/job-id.ts";
import { findJobs, LIST_START, SLICE, type StateList, stateLists } from "../desk/jobs/find-jobs.ts";
import { readEnvelopeJson } from "../desk/jobs/job-record.ts";

/** A job that somebody submitted. */
export interface SubmittedJob<Payload = unknown> {
  readonly id: string;
  readonly idempotencyKey: string;
  /** As it was submitted, before defaults of its schema. */
  readonly payload: Payload;
}

/** Every job of a type in these queues, in the order in which they were submitted. */
export async function findSubmitted(stores: readonly QueueStore[], type: string): Promise<SubmittedJob[]> {
  const found = await Promise.all(stores.map((store) => findInQueue(store, stateLists, type)));
  return found.flat().sort((a, b) => submittedAt(a.id) - submittedAt(b.id));
}

async function findInQueue(
  store: QueueStore,
  lists: readonly StateList[],
  type: string,
): Promise<SubmittedJob[]> {
  const ids = await findIds(store, lists, type);
  const jobs = await Promise.all([...ids].map((id) => readSubmission(store, id)));
  return jobs.filter((job) => job !== undefined);
}

/** The ids of the jobs in these lists; one that moves meanwhile may be in none. */
export async function findIds(
  store: QueueStore,
  lists: readonly StateList[],
  type?: string,
): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const list of lists) {
    const jobs = { queue: store.queue, of: { list } };
    let position = LIST_START;
    for (let isEnd = false; !isEnd; ) {
      const slice = await findJobs(store, jobs, position, { type }, SLICE);
      for (const id of slice.ids) ids.add(id);
      ({ isEnd } = slice);
      position = slice.next;
    }
  }
  return ids;
}

async function readSubmission(store: QueueStore, id: string): Promise<SubmittedJob | undefined> {
  const json = await readEnvelopeJson(store, id);
  if (json === null) return undefined;
  const { key, payload } = openEnvelope(store, id, JSON.parse(json));
  return { id, idempotencyKey: key, payload };
}
