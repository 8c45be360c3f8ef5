import { type ConnectedQueues, connectQueues } from "../core/bullmq/store/connect-queues.ts";
import { acceptLoss } from "../core/bullmq/store/data-loss.ts";
import { readLayouts, renewLayouts } from "../core/bullmq/store/layouts.ts";
import { readQueueMemory } from "../core/bullmq/store/queue-memory.ts";
import { openQueueStores, type QueueStore, type QueueStores } from "../core/bullmq/store/queue-store.ts";
import { createEvents } from "../core/events.ts";
import type { Application } from "../core/job/define-config.ts";
import { INTERNAL_QUEUE } from "../core/job/internal-queue.ts";
import { openStatusReader } from "../core/status/read-status.ts";
import { createSubmitter, type Submitter } from "../core/submit/submitter.ts";
import { type History, type HistoryQuery, readHistory } from "../features/history/history.ts";
import { type Environment, readSettings, type Settings } from "../platform/config/settings.ts";
import { orStop, type Running, stopAll, stopOnce } from "../platform/lib/running.ts";
import { connectRedis } from "../platform/redis/connect.ts";
import { redisNow } from "../platform/redis/fitness/clock.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import { internalApplication } from "./acts/act-on-many.ts";
import { type ActOperator, openActOperator } from "./acts/acts.ts";
import { endedStates } from "./acts/clean-jobs.ts";
import { type AuditEntry, readAuditLog } from "./audit/audit-log.ts";
import { type DoubtOperator, openDoubtOperator } from "./doubts/doubt-operator.ts";
import { type FailureGroups, readFailureGroups } from "./jobs/failure-groups.ts";
import { type JobDetail, readDetail } from "./jobs/job-detail.ts";
import type { JobFilter } from "./jobs/job-filter.ts";
import { type JobTotal, openJobLists } from "./jobs/job-lists.ts";
import { type JobOperator, openJobOperator, storeOf } from "./jobs/job-operator.ts";
import { type JobPage, type JobQuery, listJobs } from "./jobs/list-jobs.ts";
import { openQueueOperator, type QueueOperator, queueNotFound } from "./queues/queues.ts";
import { openScheduleOperator, type ScheduleOperator } from "./schedules.ts";

/** Why a loss is accepted, and by whom. The audit log keeps both. */
export interface Acceptance {
  readonly evidence: string;
  readonly by: string;
}

/**
 * What a person can do with jobs and doubts. Each call fails with `STORE_UNAVAILABLE` if Redis does not answer in time,
 * however many steps it takes.
 */
export interface Operator extends JobOperator, DoubtOperator {
  /** Lists jobs: ended ones with the latest first, the others with the next to run first. */
  list(query: JobQuery): Promise<JobPage>;
  /**
   * Reads everything known about a job, its secrets redacted.
   *
   * @returns undefined when there is no such job, or no longer
   */
  detail(id: string): Promise<JobDetail | undefined>;
  /** Counts jobs that match and have ended, as far as one call may read. @throws HoldfastError `INVALID_REQUEST` */
  countEnded(filter: JobFilter): Promise<JobTotal>;
  /** Groups failed jobs by type and code. */
  failures(): Promise<FailureGroups>;
  /**
   * Accepts that Redis has lost data that it acknowledged: jobs are claimed again, and effects begin.
   *
   * @returns the queues that had lost data
   */
  acceptLoss(acceptance: Acceptance): Promise<string[]>;
  /** Redis's time, in milliseconds since 1970. Ages count from it: the caller's clock may be wrong. */
  now(): Promise<number>;
  /** The job types and queues that the application declares, or that Redis remembers. */
  knownNames(): Promise<KnownNames>;
  /**
   * Reads what happened by the minute, for 2 days, or by the hour, for 15: counts of attempts and how long they took, also of times
   * that nobody watched.
   *
   * @throws HoldfastError `INVALID_REQUEST`, `QUEUE_NOT_FOUND`
   */
  history(query: HistoryQuery): Promise<History>;
  /** Retry, cancel or delete many jobs. */
  readonly acts: ActOperator;
  /** Pause, resume and limit queues. */
  readonly queues: QueueOperator;
  /** Pause and resume schedules. */
  readonly schedules: ScheduleOperator;
  /** Who did what, the latest first. */
  auditTrail(limit: number, filter?: AuditFilter): Promise<AuditEntry[]>;
}

/** Which entries of the audit log. */
export interface AuditFilter {
  readonly jobId?: string | undefined;
  readonly queue?: string | undefined;
}

export interface KnownNames {
  readonly types: readonly string[];
  readonly queues: readonly string[];
}

/** An operator with its own connection. */
export interface StandaloneOperator extends Operator, Running, AsyncDisposable {}

/**
 * Connects an operator to the Redis that the environment names.
 *
 * @param application the default export of `holdfast.config.ts`
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`
 */
export async function createOperator(
  application: Application,
  env?: Environment,
): Promise<StandaloneOperator> {
  const settings = readSettings(env);
  const redis = await connectRedis(settings, "fail-fast");
  const reading = readLayouts(redis.client, settings.HOLDFAST_PREFIX, application.queues);
  const layouts = await orStop(redis, reading);
  const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, layouts);
  const follow = () =>
    inTime(renewLayouts(redis.client, settings.HOLDFAST_PREFIX, application.queues, layouts));
  // Most operators only look. Where connecting fails, the next act tries again.
  let acting: Promise<ConnectedQueues> | undefined;
  const connectToAct = () =>
    connectQueues(internalApplication, settings, "fail-fast", undefined, "guest").catch((error: unknown) => {
      acting = undefined;
      throw error;
    });
  const operator = openOperator(application, stores, settings, async () => {
    acting ??= connectToAct();
    return internalSubmitter(await acting, settings);
  });
  const stop = stopOnce(async () => {
    const queues = await acting?.catch(() => undefined);
    await stopAll(queues === undefined ? [redis] : [redis, queues]);
  });
  return { ...callsAfter(follow, operator), stop, [Symbol.asyncDispose]: stop };
}

/**
 * Opens an operator on a connection.
 *
 * @param submitAct returns what submits Holdfast's own jobs
 */
export function openOperator(
  application: Application,
  stores: QueueStores,
  settings: Settings,
  submitAct: () => Promise<Submitter["submit"]>,
  events = createEvents(),
): Operator {
  const { queues } = application;
  const readStatus = openStatusReader(stores);
  const lists = openJobLists(stores, application);
  const partitions = () => stores.partitionsOf(queues);
  return {
    list: (query) => inTime(listJobs(lists, query)),
    detail: (id) => readDetail(stores, application.jobs, readStatus, id, settings.HOLDFAST_TRACE_URL),
    countEnded: (filter) => inTime(lists.count(filter, endedStates)),
    ...openJobOperator(stores, lists),
    failures: () => inTime(readFailureGroups(partitions())),
    ...openDoubtOperator({ stores, queues, retentionMs: settings.HOLDFAST_RETENTION_MS, events }),
    async acceptLoss(acceptance) {
      const all = [...partitions(), stores.of(INTERNAL_QUEUE)];
      return (await inTime(Promise.all(all.map((store) => accept(store, acceptance))))).flat();
    },
    now: async () => Math.floor(await inTime(redisNow(stores.client))),
    async knownNames() {
      const memory = await inTime(readQueueMemory(stores.client, settings.HOLDFAST_PREFIX));
      return {
        types: [...new Set([...application.jobs.keys(), ...memory.keys()])],
        queues: [...new Set([...queues, ...[...memory.values()].flat()])],
      };
    },
    async history({ queue, ...query }) {
      if (queue !== undefined && !queues.includes(queue)) throw queueNotFound(queue, queues);
      const searched = stores.partitionsOf(queue === undefined ? queues : [queue]);
      return await inTime(
        redisNow(stores.client).then((now) => readHistory(searched, query, Math.floor(now))),
      );
    },
    acts: openActOperator({
      stores,
      lists,
      submit: (...submission) => submitAct().then((submit) => submit(...submission)),
    }),
    queues: inTimeAll(openQueueOperator(stores, queues)),
    schedules: openScheduleOperator(stores, application.schedules, settings),
    async auditTrail(limit, { jobId, queue } = {}) {
      if (queue !== undefined && !queues.includes(queue)) throw queueNotFound(queue, queues);
      const internal = stores.of(INTERNAL_QUEUE);
      if (jobId !== undefined)
        return await readAuditLog([...new Set([storeOf(stores, jobId), internal])], limit, jobId);
      const logs = queue === undefined ? [...partitions(), internal] : stores.partitionsOf([queue]);
      return await readAuditLog(logs, limit);
    },
  };
}

/** The same calls, nested ones too, each after a step. All of them are asynchronous. */
function callsAfter<Calls extends object>(step: () => Promise<void>, calls: Calls): Calls {
  const after = (call: unknown) => {
    if (typeof call !== "function") return callsAfter(step, call as object);
    return (...args: readonly unknown[]) => step().then((): unknown => call(...args));
  };
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, after(call)])) as Calls;
}

/** @returns the queue, if it had lost data */
async function accept(store: QueueStore, acceptance: Acceptance): Promise<string[]> {
  const since = await acceptLoss(store, acceptance);
  return since === undefined ? [] : [store.queue];
}

/** Submits Holdfast's own jobs. */
export function internalSubmitter(queues: ConnectedQueues, settings: Settings): Submitter["submit"] {
  return createSubmitter(internalApplication, queues, settings, createEvents()).submit;
}

function inTimeAll(operator: QueueOperator): QueueOperator {
  return {
    list: () => inTime(operator.list()),
    show: (name) => inTime(operator.show(name)),
    pause: (name, act) => inTime(operator.pause(name, act)),
    resume: (name, act) => inTime(operator.resume(name, act)),
    limit: (name, limits, by) => inTime(operator.limit(name, limits, by)),
  };
}
