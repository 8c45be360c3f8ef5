import { type ConnectedQueues, connectQueues } from "../core/bullmq/store/connect-queues.ts";
import { readQueueMemory } from "../core/bullmq/store/queue-memory.ts";
import { openQueueStores, type QueueStore, type QueueStores } from "../core/bullmq/store/queue-store.ts";
import { createEvents, type Events } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import { INTERNAL_QUEUE, NOTICE_QUEUE } from "../core/job/internal-queue.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { createSubmitter, type Submitter } from "../core/submit/submitter.ts";
import { features } from "../features/index.ts";
import { storesOfGuard } from "../guard/places.ts";
import { type Environment, readSettings, type Settings } from "../platform/config/settings.ts";
import type { Finding } from "../platform/errors/finding.ts";
import { givenCount, givenObject } from "../platform/errors/given.ts";
import { orStop, type Running, stopAll, stopOnce } from "../platform/lib/running.ts";
import { connectRedis } from "../platform/redis/connect.ts";
import { redisNow } from "../platform/redis/fitness/clock.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import { internalApplication } from "./acts/act-on-many.ts";
import { type ActOperator, openActOperator } from "./acts/acts.ts";
import type { AuditEntry } from "./audit/audit-entry.ts";
import type { AuditFilter } from "./audit/audit-filter.ts";
import type { AuditLine } from "./audit/audit-lines.ts";
import { readAuditLines, readAuditLog } from "./audit/audit-log.ts";
import { acceptLoss } from "./audit/loss.ts";
import { diagnose, diagnoseStore } from "./doctor/doctor.ts";
import { type DoubtOperator, openDoubtOperator } from "./doubts/doubts-many.ts";
import {
  type GuardedEffectDetail,
  type GuardedEffectView,
  listGuardedEffects,
  readGuardedEffect,
} from "./guarded/guarded-effects.ts";
import { openRunsElsewhere, type RunsElsewhere } from "./guarded/runs-elsewhere.ts";
import { type FailureGroups, type FailureReader, openFailureReader } from "./jobs/failure-groups.ts";
import { openJobLists } from "./jobs/job-lists.ts";
import { type JobOperator, openJobOperator, storeOf } from "./jobs/job-operator.ts";
import { noticeApplication } from "./notices/notice-job.ts";
import { type NoticeOperator, openNoticeOperator } from "./notices/notice-operator.ts";
import { type OutboxOperator, openOutboxOperator } from "./outbox/outbox-operator.ts";
import { type History, type HistoryQuery, readHistory } from "./overview/history.ts";
import type { Overview } from "./overview/overview.ts";
import { type OverviewReader, openOverviewReader } from "./overview/read-overview.ts";
import { readLayouts, renewLayouts } from "./queues/layouts.ts";
import { openQueueOperator, type QueueOperator, queueNotFound } from "./queues/queues.ts";
import { openScheduleOperator, type ScheduleOperator } from "./schedules.ts";
import { openWorkerOperator, type WorkerOperator } from "./workers/workers.ts";

/** Why a loss is accepted, and by whom. The audit log keeps both. */
export interface Acceptance {
  readonly evidence: string;
  readonly by: string;
}

/**
 * What a person can do with jobs and doubts. Each call fails with `STORE_UNAVAILABLE` if Redis does not answer in time,
 * however many steps it takes, unless it says
 * otherwise.
 */
export interface Operator extends JobOperator, DoubtOperator {
  /** Lists effects that no job runs, the latest first, as far as one call may search. */
  guardedEffects(filter: Parameters<typeof listGuardedEffects>[1]): Promise<GuardedEffectView[]>;
  /** @param id of its call @returns undefined where nothing is known of it, or no longer */
  guardedEffect(id: string): Promise<GuardedEffectDetail | undefined>;
  /** Effects whose code is in programs that are not ours. */
  readonly runs: RunsElsewhere;
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
  knownNames(): Promise<{ readonly types: readonly string[]; readonly queues: readonly string[] }>;
  /** The job types that the application declares. */
  types(): Promise<{ readonly type: string; readonly queue: string }[]>;
  /** What happens now: queues, types, workers, Redis, and what is wrong. */
  overview(): Promise<Overview>;
  /** Checks whether Redis keeps what it acknowledges: what readiness depends on. */
  checkRedis(): Promise<Finding[]>;
  /** Checks everything that the promises depend on, the good findings included. May take 30 s. */
  doctor(): Promise<Finding[]>;
  /**
   * Reads what happened by the minute, for 2 days, or by the hour, for 15: counts of attempts and how long they took, also of times
   * that nobody watched.
   *
   * @throws HoldfastError `INVALID_REQUEST`, `QUEUE_NOT_FOUND`
   */
  history(query: HistoryQuery): Promise<History>;
  /** Retry, cancel or delete many jobs. */
  readonly acts: ActOperator;
  /** Pause, resume, limit and divide queues. */
  readonly queues: QueueOperator;
  /** Quiet one worker process, and wake it. */
  readonly workers: WorkerOperator;
  /** Read, explain, put, delete, run, pause and resume schedules. */
  readonly schedules: ScheduleOperator;
  /** Read the outbox in PostgreSQL, and release or discard its parked rows. */
  readonly outbox: OutboxOperator;
  /** See who is told what, and try it. */
  readonly notices: NoticeOperator;
  /** Who did what, the latest first; one line for what was done together. */
  auditTrail(limit: number, filter?: AuditFilter): Promise<AuditLine[]>;
  /** Each entry in its own line, as a file has them. */
  auditEntries(limit: number, filter?: AuditFilter): Promise<AuditEntry[]>;
}

/** A person waits for it, and it may be a slow Redis that brought them here. */
const DOCTOR_MAX_MS = 30_000;

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
  const configured = readSettings(env);
  const redis = await connectRedis(configured, "fail-fast");
  const settings = { ...configured, HOLDFAST_DURABILITY: redis.durability };
  const reading = readLayouts(redis.client, settings.HOLDFAST_PREFIX, application.queues);
  const layouts = await orStop(redis, reading);
  const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, layouts);
  const follow = () =>
    inTime(renewLayouts(redis.client, settings.HOLDFAST_PREFIX, application.queues, layouts));
  // Most operators only look.
  const connect = (own: Application) =>
    connectQueues(own, configured, features, "fail-fast", undefined, "guest");
  // A submitter listens to its connection, so each connection has one.
  const acting = whenUsed(async () => {
    const queues = await connect(internalApplication);
    return { queues, submit: internalSubmitter(queues, configured), stop: queues.stop };
  });
  const noticing = whenUsed(async () => {
    const queues = await connect(noticeApplication);
    return { submit: noticeSubmitter(queues, configured), stop: queues.stop };
  });
  const submitting = whenUsed(() => openSubmitPath(application, configured, features));
  const running = whenUsed(async () => openRunsElsewhere((await acting.open()).queues, settings));
  const operator = openOperator({
    application,
    stores,
    settings,
    submitAct: async (...act) => await (await acting.open()).submit(...act),
    submitNotice: async (...job) => await (await noticing.open()).submit(...job),
    submit: async (...job) => await (await submitting.open()).submitter.submit(...job),
    submitOwn: async (...job) => await (await submitting.open()).submitter.submitOwn(...job),
    runs: {
      reserve: async (...asked) => await (await running.open()).reserve(...asked),
      commit: async (...report) => await (await running.open()).commit(...report),
      release: async (...report) => await (await running.open()).release(...report),
      doubt: async (...report) => await (await running.open()).doubt(...report),
    },
  });
  const stop = stopOnce(() => stopAll([redis, acting, noticing, submitting, running]));
  return { ...callsAfter(follow, operator), stop, [Symbol.asyncDispose]: stop };
}

/** Opens something when it is first used. If that fails, the next use tries again. */
function whenUsed<Opened extends Running>(connect: () => Promise<Opened>) {
  let opened: Promise<Opened> | undefined;
  return {
    async open(): Promise<Opened> {
      opened ??= connect().catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return await opened;
    },
    async stop(): Promise<void> {
      await (await opened?.catch(() => undefined))?.stop();
    },
  };
}

export interface OperatorParts {
  readonly application: Application;
  readonly stores: QueueStores;
  readonly settings: Settings;
  /** Submits Holdfast's own jobs. */
  readonly submitAct: Submitter["submit"];
  /** Submits notices. */
  readonly submitNotice: Submitter["submitOwn"];
  /** Submits a new job from an old one. */
  readonly submit: Submitter["submit"];
  /** Submits a schedule's job. */
  readonly submitOwn: Submitter["submitOwn"];
  readonly runs: RunsElsewhere;
  readonly events?: Events;
  /** @default one of its own */
  readonly overviews?: OverviewReader;
  /** That of the overviews. @default one of its own */
  readonly failures?: FailureReader;
}

export function openOperator(parts: OperatorParts): Operator {
  const { application, stores, settings, events = createEvents(), failures = openFailureReader() } = parts;
  const { queues } = application;
  const lists = openJobLists(stores, application);
  const partitions = () => stores.partitionsOf(queues);
  const own = { stores, application, settings, clock: { offsetMs: () => 0 }, failures };
  const overviews = parts.overviews ?? openOverviewReader(own);
  const auditLogs = (filter: AuditFilter) => auditLogsOf(stores, queues, filter);
  return {
    ...openJobOperator(stores, application, lists, parts.submit, failures.count, settings.HOLDFAST_TRACE_URL),
    guardedEffects: (filter) => listGuardedEffects(stores, filter),
    guardedEffect: (id) => readGuardedEffect(stores, id),
    runs: parts.runs,
    failures: () => inTime(failures.groups(partitions())),
    ...openDoubtOperator({ stores, application, retentionMs: settings.HOLDFAST_RETENTION_MS, events }),
    async acceptLoss(given) {
      const acceptance = givenObject(given, "/");
      const accept = async (store: QueueStore) =>
        (await acceptLoss(store, acceptance)) === undefined ? [] : [store.queue];
      const all = [
        ...partitions(),
        stores.of(INTERNAL_QUEUE),
        stores.of(NOTICE_QUEUE),
        ...storesOfGuard(stores),
      ];
      return (await inTime(Promise.all(all.map(accept)))).flat();
    },
    now: async () => Math.floor(await inTime(redisNow(stores.client))),
    async knownNames() {
      const memory = await inTime(readQueueMemory(stores.client, settings.HOLDFAST_PREFIX));
      return {
        types: [...new Set([...application.jobs.keys(), ...memory.keys()])],
        queues: [...new Set([...queues, ...[...memory.values()].flat()])],
      };
    },
    types: async () => [...application.jobs].map(([type, { queue }]) => ({ type, queue })),
    overview: overviews.read,
    checkRedis: () => inTime(diagnoseStore(application, stores, settings)),
    doctor: () => inTime(diagnose(application, stores, settings), DOCTOR_MAX_MS),
    async history(given) {
      const { queue, ...query } = givenObject(given, "/");
      if (queue !== undefined && !queues.includes(queue)) throw queueNotFound(queue, queues);
      const searched = stores.partitionsOf(queue === undefined ? queues : [queue]);
      return await inTime(
        redisNow(stores.client).then((now) => readHistory(searched, query, Math.floor(now))),
      );
    },
    acts: openActOperator({ stores, lists, submit: parts.submitAct }),
    queues: openQueueOperator(stores, application, settings.HOLDFAST_PREFIX, failures.count),
    workers: openWorkerOperator(stores, queues),
    schedules: openScheduleOperator({ stores, application, settings, submitOwn: parts.submitOwn }),
    outbox: openOutboxOperator(settings.DATABASE_URL, stores.of(INTERNAL_QUEUE), application.jobs),
    notices: openNoticeOperator({ stores, application, submit: parts.submitNotice }),
    auditTrail: async (limit, filter = {}) =>
      await readAuditLines(auditLogs(filter), givenCount(limit, "/limit"), filter),
    auditEntries: async (limit, filter = {}) =>
      await readAuditLog(auditLogs(filter), givenCount(limit, "/limit"), filter),
  };
}

/** Where entries that match can be. */
function auditLogsOf(
  stores: QueueStores,
  queues: readonly string[],
  { queue, jobId }: AuditFilter,
): QueueStore[] {
  if (queue !== undefined && !queues.includes(queue)) throw queueNotFound(queue, queues);
  const internal = stores.of(INTERNAL_QUEUE);
  if (jobId !== undefined) return [...new Set([storeOf(stores, jobId), internal])];
  return queue === undefined
    ? [...stores.partitionsOf(queues), internal, ...storesOfGuard(stores)]
    : [...stores.partitionsOf([queue])];
}

/**
 * Wraps every call, nested ones included, so that `step` runs first. Otherwise a call that knows an old layout would pause or count some
 * partitions of a queue, and not the others. All of the calls are asynchronous.
 */
function callsAfter<Calls extends object>(step: () => Promise<void>, calls: Calls): Calls {
  const after = (call: unknown) => {
    if (typeof call !== "function") return callsAfter(step, call as object);
    return (...args: readonly unknown[]) => step().then((): unknown => call(...args));
  };
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, after(call)])) as Calls;
}

/** Submits Holdfast's own jobs. */
export function internalSubmitter(queues: ConnectedQueues, settings: Settings): Submitter["submit"] {
  return createSubmitter(internalApplication, queues, settings, createEvents(), features).submit;
}

/** Submits notices. */
export function noticeSubmitter(queues: ConnectedQueues, settings: Settings): Submitter["submitOwn"] {
  return createSubmitter(noticeApplication, queues, settings, createEvents(), features).submitOwn;
}
