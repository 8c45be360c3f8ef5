import type { Receipt } from "../../core/job/submit-options.ts";
import { type ActCalls, actCalls, type JobsQuery } from "./acts.ts";
import { readAnswer } from "./answer.ts";
import type {
  AuditEntry,
  Doubt,
  ExplainedTick,
  FailureGroups,
  Health,
  History,
  JobDetail,
  JobPage,
  ManyDoubtsResolved,
  PastTick,
  QueueView,
  ResolvedJob,
  ScheduleStatus,
} from "./answers.ts";
import { type Api, headerText, isoText, query } from "./api.ts";

export interface ListQuery extends JobsQuery {
  /** Also counts all jobs that match. @default false */
  readonly total?: boolean;
  /** 1 to 200. @default 50 */
  readonly limit?: number;
  /** Within each state. @default ended and tagged jobs newest first, the others in the order in which they will run */
  readonly order?: "newest" | "oldest";
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface ClientResolution {
  /** `done`: it happened, and is not run again. `not-done`: it did not, and may run. */
  readonly as: "done" | "not-done";
  /** How you know, 1 to 2,000 characters. Kept in the audit log. */
  readonly evidence: string;
  /** What the effect would have returned; only with `done`. @default none */
  readonly result?: unknown;
  /** Allows `not-done` although the first run may still be under way. @default false */
  readonly confirm?: boolean;
}

/** Which doubts. An absent member matches all. */
export interface ClientDoubtFilter {
  readonly type?: string;
  /** With or without its index. */
  readonly effect?: string;
  readonly worker?: string;
  /** Only those in doubt since this or later, in ISO 8601. */
  readonly since?: string;
  /** Only those in doubt since before this, in ISO 8601. */
  readonly until?: string;
  /** A part of why nobody knows. */
  readonly reasonText?: string;
}

export interface DoubtsQuery extends ClientDoubtFilter {
  readonly limit?: number;
  readonly offset?: number;
}

/** Either `ids`, or a `filter`, or `all`. */
export interface ManyDoubtsRequest {
  readonly ids?: readonly { readonly jobId: string; readonly effect: string }[];
  readonly filter?: ClientDoubtFilter;
  readonly all?: true;
  readonly as: "done" | "not-done";
  /** How you know, 1 to 2,000 characters. Kept in the audit log with each. */
  readonly evidence: string;
  /** Allows `not-done` also for doubts whose first run may still be under way. @default false: those stay in doubt */
  readonly confirm?: boolean;
  /** Only with `not-done`: until when an export is complete that does not name them, in ISO 8601. Those in doubt since a minute before, or later, stay. */
  readonly completeUntil?: string;
  /** Changes nothing. @default false */
  readonly dryRun?: boolean;
  /** `before` of the first call, while some remain. */
  readonly before?: string;
}

/**
 * What an operator can do. Reads are sent again as submissions are. What changes something is sent once: after
 * `API_UNREACHABLE` or `STORE_UNAVAILABLE` it may have been done, so look before you repeat it.
 */
export interface OperatorCalls extends ActCalls {
  /** Lists jobs: ended ones with the latest first, the others with the next to run first. */
  list(query?: ListQuery): Promise<JobPage>;
  /** Everything known of a job. @throws HoldfastError `JOB_NOT_FOUND` */
  detail(id: string): Promise<JobDetail>;
  /** Returns a failed job to its queue with all its attempts. @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_FAILED`, `EFFECTS_FORGOTTEN` */
  retry(id: string, why?: { readonly reason: string }): Promise<void>;
  /** Ends a job: `cancelled`, or `cancelling` if it is running. @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED` */
  cancel(id: string, why?: { readonly reason: string }): Promise<"cancelled" | "cancelling">;
  /**
   * Deletes a job that has ended; its key and its effects are remembered.
   *
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_ENDED`, `JOB_IN_DOUBT`
   */
  delete(id: string, why?: { readonly reason: string }): Promise<void>;
  /** Groups failed jobs by type and code. */
  failures(): Promise<FailureGroups>;
  /** Lists effects in doubt that match, the oldest first. @param page `limit` is 1 to 200, 50 by default */
  doubts(page?: DoubtsQuery): Promise<readonly Doubt[]>;
  /** Resolves many effects in doubt with one piece of evidence, at most 1,000 a call: call it again, with `before`, while some remain. */
  resolveDoubts(request: ManyDoubtsRequest): Promise<ManyDoubtsResolved>;
  /**
   * Resolves an effect in doubt.
   *
   * @param effect as the list of doubts names it
   * @returns what happens to the job
   * @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`, `RUN_MAY_BE_PENDING`
   */
  resolve(id: string, effect: string, resolution: ClientResolution): Promise<ResolvedJob>;
  /** Who did what, the latest first. @param limit 1 to 200 @default 50 */
  auditTrail(
    limit?: number,
    filter?: { readonly jobId?: string; readonly queue?: string },
  ): Promise<readonly AuditEntry[]>;
  /** Accepts that Redis has lost data. @returns the queues that had lost data */
  acceptLoss(acceptance: { readonly evidence: string }): Promise<readonly string[]>;
  /** Lists schedules. @param next how many future ticks of each, 1 to 100 @default 5 */
  schedules(next?: number): Promise<readonly ScheduleStatus[]>;
  /** What became of a schedule's ticks, the latest first. @param limit 1 to 500 @default 48 @throws HoldfastError `SCHEDULE_NOT_FOUND` */
  ticks(schedule: string, limit?: number): Promise<readonly PastTick[]>;
  /** Why a tick did or did not run. @throws HoldfastError `SCHEDULE_NOT_FOUND` */
  explainTick(schedule: string, at: Date): Promise<ExplainedTick>;
  /** Skips a schedule's ticks until it is resumed; they are not caught up. @throws HoldfastError `SCHEDULE_NOT_FOUND` */
  pauseSchedule(schedule: string, pause: { readonly reason: string }): Promise<ScheduleStatus>;
  /** Lets a paused schedule tick again. @throws HoldfastError `SCHEDULE_NOT_FOUND` */
  resumeSchedule(schedule: string): Promise<ScheduleStatus>;
  /** Submits a schedule's job now, and like a submission sends it again. @throws HoldfastError `SCHEDULE_NOT_FOUND` */
  runSchedule(schedule: string, options: { readonly idempotencyKey: string }): Promise<Receipt>;
  /** What happened by the minute, for 2 days, or by the hour, for 15. @throws HoldfastError `QUEUE_NOT_FOUND` */
  history(query?: ClientHistoryQuery): Promise<History>;
  /** Lists queues: what waits and runs, whether they are paused, and their limits. */
  queues(): Promise<readonly QueueView[]>;
  /** Lets no further job of a queue start; running ones go on. @throws HoldfastError `QUEUE_NOT_FOUND` */
  pauseQueue(name: string, pause: { readonly reason: string }): Promise<QueueView>;
  /** Lets the jobs of a paused queue start again. @throws HoldfastError `QUEUE_NOT_FOUND` */
  resumeQueue(name: string): Promise<QueueView>;
  /** Limits a queue in place of what is declared; without any limit, the declared ones count again. @throws HoldfastError `QUEUE_NOT_FOUND` */
  limitQueue(name: string, limits: ClientLimits): Promise<QueueView>;
  /** Whether the API can keep its promises now. */
  health(): Promise<Health>;
}

/** Which part of the history to read. */
export interface ClientHistoryQuery {
  /** @default all */
  readonly queue?: string;
  /** @default all */
  readonly type?: string;
  /** @default 3 hours before `to` */
  readonly from?: Date;
  /** Exclusive. @default now */
  readonly to?: Date;
  /** Minutes, hours or days, such as `"5m"`, `"1h"` or `"1d"`. @default what gives at most 240 points */
  readonly step?: string;
}

/** Limits of a queue over all workers. */
export interface ClientLimits {
  /** How many jobs may run at a time. */
  readonly concurrency?: number;
  /** How many jobs may start in a time, such as `"10/1s"`. */
  readonly rate?: string;
}

export function operatorCalls(api: Api): OperatorCalls {
  const read = <Answer>(path: string) => api.again<Answer>({ path });
  const change = <Answer>(path: string, body?: object) =>
    api.once<Answer>({ path, method: "POST", ...(body !== undefined && { body: JSON.stringify(body) }) });
  return {
    list: (wanted = {}) => read(`/jobs${query({ ...wanted })}`),
    detail: (id) => read(jobPath(id)),
    async retry(id, why) {
      await change(`${jobPath(id)}/retry`, why);
    },
    async cancel(id, why) {
      const { outcome } = await change<{ outcome: "cancelled" | "cancelling" }>(`${jobPath(id)}/cancel`, why);
      return outcome;
    },
    async delete(id, why) {
      await api.once({ path: `${jobPath(id)}${query({ ...why })}`, method: "DELETE" });
    },
    failures: () => read("/failures"),
    ...actCalls(api),
    async doubts(page = {}) {
      const { doubts } = await read<{ doubts: Doubt[] }>(`/doubts${query({ ...page })}`);
      return doubts;
    },
    resolveDoubts: (request) => change("/doubts/resolve", request),
    async resolve(id, effect, resolution) {
      const path = `${jobPath(id)}/effects/${encodeURIComponent(effect)}/resolve`;
      const { job } = await change<{ job: ResolvedJob }>(path, resolution);
      return job;
    },
    async auditTrail(limit, filter = {}) {
      const { entries } = await read<{ entries: AuditEntry[] }>(`/audit${query({ ...filter, limit })}`);
      return entries;
    },
    async acceptLoss(acceptance) {
      const { accepted } = await change<{ accepted: string[] }>("/store/accept-loss", acceptance);
      return accepted;
    },
    history: (wanted = {}) => read(`/history${query({ ...wanted })}`),
    ...queueCalls(api),
    ...scheduleCalls(api),
    health: () => api.once({ path: "/health/ready" }, undefined, readHealth),
  };
}

function queueCalls(api: Api): Pick<OperatorCalls, "queues" | "pauseQueue" | "resumeQueue" | "limitQueue"> {
  const path = (name: string, act: string) => `/queues/${encodeURIComponent(name)}/${act}`;
  return {
    async queues() {
      return (await api.again<{ queues: QueueView[] }>({ path: "/queues" })).queues;
    },
    pauseQueue: async (name, pause) =>
      await api.once({ path: path(name, "pause"), method: "POST", body: JSON.stringify(pause) }),
    resumeQueue: async (name) => await api.once({ path: path(name, "resume"), method: "POST" }),
    limitQueue: async (name, limits) =>
      await api.once({ path: path(name, "limits"), method: "PUT", body: JSON.stringify(limits) }),
  };
}

type ScheduleCalls =
  | "schedules"
  | "ticks"
  | "explainTick"
  | "runSchedule"
  | "pauseSchedule"
  | "resumeSchedule";

function scheduleCalls(api: Api): Pick<OperatorCalls, ScheduleCalls> {
  return {
    async schedules(next) {
      const path = `/schedules${query({ next })}`;
      return (await api.again<{ schedules: ScheduleStatus[] }>({ path })).schedules;
    },
    async ticks(schedule, limit) {
      const path = `${schedulePath(schedule)}/ticks${query({ limit })}`;
      return (await api.again<{ ticks: PastTick[] }>({ path })).ticks;
    },
    explainTick: async (schedule, at) =>
      await api.again({ path: `${schedulePath(schedule)}/ticks/${isoText("at", at)}` }),
    pauseSchedule: async (schedule, pause) =>
      await api.once({
        path: `${schedulePath(schedule)}/pause`,
        method: "POST",
        body: JSON.stringify(pause),
      }),
    resumeSchedule: async (schedule) =>
      await api.once({ path: `${schedulePath(schedule)}/resume`, method: "POST" }),
    async runSchedule(schedule, { idempotencyKey }) {
      const headers = { "idempotency-key": headerText(idempotencyKey) };
      const path = `${schedulePath(schedule)}/run`;
      return await api.again({ path, method: "POST", headers, isKeyed: true });
    },
  };
}

/** Not ready is an answer, too. */
async function readHealth(response: Response): Promise<unknown> {
  const isProblem = response.headers.get("content-type")?.startsWith("application/json") !== true;
  return isProblem ? await readAnswer(response) : await response.json();
}

function jobPath(id: string): string {
  return `/jobs/${encodeURIComponent(id)}`;
}

function schedulePath(name: string): string {
  return `/schedules/${encodeURIComponent(name)}`;
}
