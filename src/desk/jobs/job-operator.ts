import { z } from "zod";
import type { SeenJob } from "../../core/bullmq/as-seen.ts";
import { cancelJob, type StoredAct } from "../../core/bullmq/end/cancel-job.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { jobNotFound, queueOfId } from "../../core/job/job-id.ts";
import { endedStates } from "../../core/job/job-state.ts";
import type { JobStatus } from "../../core/job/job-status.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { listedJobSchema, openStatusReader } from "../../features/job-status.ts";
import { givenCount, givenObject } from "../../platform/errors/given.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { type Cleaned, type CleanQuery, cleanJobs } from "../acts/clean-jobs.ts";
import { type Act, LIBRARY, storedReason } from "../audit/audit-log.ts";
import { deleteJob } from "./delete-job.ts";
import type { FailureReader } from "./failure-groups.ts";
import { type JobDetail, readDetail } from "./job-detail.ts";
import type { JobFilter, JobOrder } from "./job-filter.ts";
import { type JobLists, type JobTotal, jobTotalSchema } from "./job-lists.ts";
import { retryJob } from "./retry-job.ts";
import { type AgainRequest, submitAgain } from "./submit-again.ts";

export interface JobQuery extends JobFilter {
  /** 1 to 200. */
  readonly limit: number;
  /** Within each state. @default ended and tagged jobs newest first, the others in the order in which they will run */
  readonly order?: JobOrder | undefined;
  /** `nextCursor` of an earlier page, with the same order. */
  readonly cursor?: string | undefined;
  /** Also counts all jobs that match. @default false */
  readonly total?: boolean | undefined;
}

export const jobPageSchema = z.object({
  jobs: z.array(listedJobSchema),
  nextCursor: z
    .string()
    .nullable()
    .meta({ description: "Null on the last page. Other pages can be short, even empty." }),
  scanned: z.int().meta({ description: "How many jobs were searched for this page." }),
  mayMiss: z.literal(true).optional().meta({
    description:
      "Jobs may be missing between the page before and this one: those by which it knew where to go on were removed.",
  }),
  total: jobTotalSchema.optional().meta({ description: "All jobs that match, with total=true." }),
});
export type JobPage = Readonly<z.output<typeof jobPageSchema>>;

/** What an operator sees of jobs, and does to them. */
export interface JobOperator {
  /**
   * Lists jobs, state by state: ended ones with the latest first, the others with the next to run first.
   *
   * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor
   */
  list(query: JobQuery): Promise<JobPage>;
  /** @returns undefined when there is no such job, or no longer */
  status(id: string): Promise<JobStatus | undefined>;
  /**
   * Reads everything known about a job, its secrets redacted.
   *
   * @returns undefined when there is no such job, or no longer
   */
  detail(id: string): Promise<JobDetail | undefined>;
  /** Counts jobs that match and have ended, as far as one call may read. @throws HoldfastError `INVALID_REQUEST` */
  countEnded(filter: JobFilter): Promise<JobTotal>;
  /**
   * Returns a failed job to its queue with all its attempts before it. Effects that are done stay done.
   *
   * @param expect as you have seen the job: if it has changed since then, nothing happens @default whatever it is
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_FAILED`, `EFFECTS_FORGOTTEN`, `CHANGED_MEANWHILE`
   */
  retry(id: string, act?: Act, expect?: SeenJob): Promise<void>;
  /**
   * Cancels a job: a waiting one at once; a running one by aborting its attempt.
   *
   * @param expect as for `retry`
   * @returns `cancelled` if the job has ended
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED`, `CHANGED_MEANWHILE`
   */
  cancel(id: string, act?: Act, expect?: SeenJob): Promise<"cancelled" | "cancelling">;
  /**
   * Submits a new job from an old one, with a key of its own. Its effects happen anew.
   *
   * @throws HoldfastError `JOB_NOT_FOUND`, `INVALID_REQUEST`; `EFFECT_IN_DOUBT` where an effect of the old job is in doubt or may be under
   *   way, unless confirmed; and as `submit`
   */
  again(id: string, request: AgainRequest): Promise<Receipt>;
  /**
   * Deletes a job that has ended, as the retention would: its idempotency key and its effects are remembered.
   *
   * @param by who, for the audit log
   * @param reason why, for the audit log @default no reason
   * @param finishedAt when the job ended as you have seen it, ISO 8601: if that has changed, nothing happens @default whenever
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_ENDED`, `JOB_IN_DOUBT`
   */
  delete(id: string, by: string, reason?: string, finishedAt?: string): Promise<void>;
  /**
   * Deletes jobs that have ended, a slice per call: call it again with `nextCursor`. Jobs in doubt stay.
   *
   * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor or filter
   */
  clean(query: CleanQuery): Promise<Cleaned>;
}

/** Each act on one job is on record in the same step. */
export function openJobOperator(
  stores: QueueStores,
  { jobs }: Pick<Application, "jobs">,
  lists: JobLists,
  submit: Submitter["submit"],
  countFailed: FailureReader["count"],
  traceUrl?: string,
): JobOperator {
  const readStatus = openStatusReader(stores);
  /** Compared in the act's own step; read here is only what to say. */
  async function changed(id: string, seen: SeenJob | undefined): Promise<HoldfastError> {
    const now = await inTime(readStatus(id));
    if (now === undefined) return jobNotFound();
    const message =
      seen === undefined || now.state === seen.state
        ? `The job has run again since you looked, and is ${now.state} again. Nothing was done`
        : `The job was ${seen.state} when you looked, and is ${now.state} now. Nothing was done`;
    return new HoldfastError("CHANGED_MEANWHILE", message);
  }
  return {
    list: async (query) => await inTime(listJobs(lists, countFailed, givenObject(query, "/"))),
    status: (id) => inTime(readStatus(id)),
    detail: (id) => readDetail(stores, jobs, readStatus, id, traceUrl),
    countEnded: async (filter) => totalOf(await inTime(lists.count(filter, endedStates))),
    async retry(id, act = { by: LIBRARY }, seen) {
      const store = storeOf(stores, id);
      const outcome = await inTime(retryJob(store, id, { act: storedAct(store, act), seen }));
      if (outcome === "changed") throw await changed(id, seen);
      if (outcome !== "retried") throw refusalOf(outcome);
    },
    async cancel(id, act = { by: LIBRARY }, seen) {
      const store = storeOf(stores, id);
      const outcome = await inTime(cancelJob(store, id, storedAct(store, act), seen));
      if (outcome === "changed") throw await changed(id, seen);
      if (outcome === "missing" || outcome === "ended") throw refusalOf(outcome);
      return outcome;
    },
    again: (id, request) => submitAgain({ store: storeOf(stores, id), readStatus, submit }, id, request),
    async delete(id, by, reason, finishedAt) {
      const store = storeOf(stores, id);
      const evidence = storedReason(store, reason);
      const endedAt = finishedAt === undefined ? undefined : Date.parse(finishedAt);
      const outcome = await inTime(deleteJob(store, id, { by, evidence, endedAt }));
      if (outcome === "changed") throw await changed(id, undefined);
      if (outcome !== "deleted") throw refusalOf(outcome);
    },
    clean: (query) => inTime(cleanJobs(stores, lists, query)),
  };
}

async function listJobs(
  lists: JobLists,
  countFailed: FailureReader["count"],
  { limit, cursor, order, total: isCounted, ...filter }: JobQuery,
): Promise<JobPage> {
  givenCount(limit, "/limit");
  const failed = isCounted ? lists.failedOf(filter) : undefined;
  const [{ found, nextCursor, scanned, mayMiss }, counted, kinds] = await Promise.all([
    lists.read(filter, { limit, cursor, order }),
    isCounted ? lists.count(filter) : undefined,
    failed && countFailed(failed),
  ]);
  const total = counted && { ...totalOf(counted), ...(kinds && { kinds }) };
  return { jobs: found, nextCursor, scanned, ...(mayMiss && { mayMiss }), ...(total && { total }) };
}

function totalOf({ count, isExact }: JobTotal): JobTotal {
  return { count, isExact };
}

const refusals = {
  "not-failed": ["JOB_NOT_FAILED", "Only a failed job can be retried"],
  forgotten: [
    "EFFECTS_FORGOTTEN",
    "The job asked for effects, and what was known of them is gone: a retry could repeat them",
  ],
  ended: ["JOB_ENDED", "The job has ended already; it cannot be cancelled"],
  "not-ended": ["JOB_NOT_ENDED", "Only a job that has ended can be deleted; cancel it first"],
  "in-doubt": ["JOB_IN_DOUBT", "An effect of the job is in doubt; resolve it first"],
} as const;

function refusalOf(outcome: "missing" | keyof typeof refusals): HoldfastError {
  if (outcome === "missing") return jobNotFound();
  const [code, message] = refusals[outcome];
  return new HoldfastError(code, message);
}

function storedAct(store: QueueStore, { by, reason }: Act): StoredAct {
  return { by, evidence: storedReason(store, reason) };
}

/** The store of a job's queue, even if no job of the application names that queue any more. */
export function storeOf(stores: QueueStores, id: string): QueueStore {
  const queue = queueOfId(id);
  if (queue === undefined) throw jobNotFound();
  return stores.of(queue);
}
