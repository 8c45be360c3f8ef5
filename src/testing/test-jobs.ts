import { openEnvelope } from "../core/bullmq/add/envelope.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { submittedAt } from "../core/job/job-id.ts";
import { hasEnded, type JobStatus } from "../core/job/job-status.ts";
import type { StatusReader } from "../core/status/read-status.ts";
import { findJobs, LIST_START, SLICE, type StateList, stateLists } from "../desk/jobs/find-jobs.ts";
import { readEnvelopeJson } from "../desk/jobs/job-record.ts";
import { integer, tuple } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import { until } from "./until.ts";

/** One job in a test. */
export interface TestJob {
  /** @throws Error when there is no such job */
  status(): Promise<JobStatus>;
  /**
   * Waits until it has completed.
   *
   * @returns its result
   * @throws Error when it fails, or does not end in time
   */
  completed(): Promise<unknown>;
  /**
   * Waits until it has failed for good.
   *
   * @returns why
   * @throws Error when it completes, or does not end in time
   */
  failed(): Promise<NonNullable<JobStatus["error"]>>;
}

export interface TestJobs {
  of(id: string): TestJob;
  drain(): Promise<void>;
}

const LISTED_MAX = 20;

interface TestJobsParts {
  readonly stores: readonly QueueStore[];
  readonly readStatus: StatusReader;
  /** How long waiting may take. */
  readonly timeoutMs: number;
  /** Submits what waited for a job that has ended by now. */
  submitQueued(): Promise<void>;
}

export function openTestJobs({ stores, readStatus, timeoutMs, submitQueued }: TestJobsParts): TestJobs {
  async function status(id: string): Promise<JobStatus> {
    const found = await readStatus(id);
    if (found === undefined) throw new Error(`There is no job ${id}`);
    return found;
  }

  async function ended(id: string): Promise<JobStatus> {
    const isOver = async () => {
      const found = await status(id);
      return hasEnded(found) && found;
    };
    const late = async () => `After ${timeoutMs} ms this job has not ended:\n${line(await status(id))}`;
    return await until(isOver, timeoutMs, late);
  }

  async function listUnfinished(): Promise<string> {
    const lists = ["active", "waiting", "held", "prioritized", "delayed", "waiting-children"] as const;
    const ids = (await Promise.all(stores.map((store) => findIds(store, lists)))).flatMap((all) => [...all]);
    const found = await Promise.all(ids.slice(0, LISTED_MAX).map(readStatus));
    const lines = found.filter((job) => job !== undefined).map(line);
    const more = ids.length > LISTED_MAX ? [`… and ${ids.length - LISTED_MAX} more`] : [];
    return [`After ${timeoutMs} ms these jobs have not ended:`, ...lines, ...more].join("\n");
  }

  return {
    of: (id) => ({
      status: () => status(id),
      async completed() {
        const job = await ended(id);
        if (job.state !== "completed") throw new Error(`The job failed:\n${line(job)}`);
        return job.result;
      },
      async failed() {
        const job = await ended(id);
        if (job.state === "failed" && job.error !== null) return job.error;
        throw new Error(`The job completed:\n${line(job)}\nresult: ${JSON.stringify(job.result)}`);
      },
    }),
    drain: () => until(idleTwice(stores, submitQueued), timeoutMs, listUnfinished).then(() => {}),
  };
}

/**
 * A job may submit another one to a queue that was looked at before, or let a tick go on: only a second look shows that nothing has
 * changed.
 */
function idleTwice(stores: readonly QueueStore[], submitQueued: () => Promise<void>): () => Promise<boolean> {
  let before = "";
  return async () => {
    const found = await Promise.all(stores.map(readUnfinished));
    const isIdle = found.every(({ jobs }) => jobs === 0);
    const stamp = found.map(({ stamp }) => stamp).join();
    const isUnchanged = isIdle && stamp === before;
    before = isIdle ? stamp : "";
    if (isIdle && !isUnchanged) await submitQueued();
    return isUnchanged;
  };
}

function line({ id, type, state, attemptsMade, maxAttempts, nextAttemptAt, error }: JobStatus): string {
  const attempts = `attempts ${attemptsMade} of ${maxAttempts}`;
  const due = nextAttemptAt === null ? "" : `, due ${nextAttemptAt} (clock.advance moves that nearer)`;
  const why = error === null ? "" : `, ${error.code}: ${error.message}`;
  return `  ${id} ${type}: ${state}, ${attempts}${due}${why}`;
}

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
async function findIds(
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

const script = loadScript(import.meta.url, "unfinished.lua", tuple(integer, integer));

/** What a queue has to do now. */
interface Unfinished {
  /** Jobs that wait, run, or are delayed and due. */
  readonly jobs: number;
  /** Differs after each submission and each end of a job. */
  readonly stamp: number;
}

/** Reads it in one step. */
async function readUnfinished({ client, keys }: QueueStore): Promise<Unfinished> {
  const [jobs, stamp] = await script.run(client, [keys.delayed], [keys.start]);
  return { jobs, stamp };
}
