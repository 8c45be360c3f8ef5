// Written by `npm run docs` from src/desk/operations and src/features.

import type { Body, Query, Returned } from "./operation-types.ts";
import type { Route } from "./routes.ts";

/**
 * What an operator can do. Reads are sent again as submissions are. What changes something is sent once: after
 * `API_UNREACHABLE` or `STORE_UNAVAILABLE` it may have been done, so look before you repeat it.
 */
export interface OperationCalls {
  /**
   * Read everything known about a job.
   * Its status, its payload, each failed attempt, and its log.
   * @throws HoldfastError `JOB_NOT_FOUND`
   */
  detail(id: string): Promise<Returned<"detail">>;
  /**
   * List jobs.
   * State by state: finished jobs newest first, others in the order in which they will run, unless `order` says otherwise.
   */
  list(query?: Query<"list">): Promise<Returned<"list">>;
  /**
   * Retry a failed job.
   * It gets all its attempts again and keeps its key. Effects that are done stay done.
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_FAILED`, `CHANGED_MEANWHILE`, `EFFECTS_FORGOTTEN`
   */
  retry(id: string, request?: Body<"retry">): Promise<Returned<"retry">>;
  /**
   * Cancel a job.
   * A waiting job fails with CANCELLED at once (`cancelled`). A running job's signal is aborted, wherever it runs (`cancelling`).
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED`, `CHANGED_MEANWHILE`
   */
  cancel(id: string, request?: Body<"cancel">): Promise<Returned<"cancel">>;
  /**
   * Submit a new job from an old one.
   * With a key of its own, so its effects happen anew. Where an effect of the old job is in doubt or may be under way it is refused with `EFFECT_IN_DOUBT`, unless `confirm` says that the effect may happen again. The audit log names both jobs.
   * @throws HoldfastError `JOB_NOT_FOUND`, `UNKNOWN_JOB_TYPE`, `INVALID_PAYLOAD`, `EFFECT_IN_DOUBT`, `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`
   */
  again(id: string, request: Body<"again">): Promise<Returned<"again">>;
  /**
   * Delete a job that has ended.
   * Its idempotency key and its effects are remembered as after the retention. A job in doubt is kept. The audit log says who did it.
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_ENDED`, `CHANGED_MEANWHILE`, `JOB_IN_DOUBT`
   */
  delete(id: string, query?: Query<"delete">): Promise<Returned<"delete">>;
  /**
   * List acts on many jobs.
   * Those that have not ended first, then the latest.
   */
  acts(limit?: Query<"acts">["limit"]): Promise<Returned<"acts">>;
  /**
   * Read how far an act on many jobs is.
   * @throws HoldfastError `JOB_NOT_FOUND`
   */
  act(id: string): Promise<Returned<"act">>;
  /**
   * Stop an act on many jobs.
   * What it has done stays done.
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED`
   */
  stopAct(id: string): Promise<Returned<"stopAct">>;
  /**
   * Group failed jobs.
   * By type, code and message, most frequent first.
   */
  failures(query?: Query<"failures">): Promise<Returned<"failures">>;
  /**
   * List effects in doubt.
   * Side effects that may or may not have happened, oldest first.
   */
  doubts(query?: Query<"doubts">): Promise<Returned<"doubts">>;
  /**
   * Group effects in doubt by what was seen.
   * By verdict, type and effect, the largest group first. Those of one group mostly have one answer.
   */
  doubtGroups(query?: Query<"doubtGroups">): Promise<Returned<"doubtGroups">>;
  /**
   * Ask the probes of effects in doubt.
   * Those named by `ids`, those that match `filter`, or `all`; at most 1,000 a call. A probe is code of the application: so the job of each runs again, on a worker, and its handler asks. What the probe answers resolves the doubt, recorded as the probe's: done, or not done, and then the effect runs. Where it does not know, the effect stays in doubt.
   */
  askProbes(request: Body<"askProbes">): Promise<Returned<"askProbes">>;
  /**
   * Resolve many effects in doubt with one piece of evidence.
   * Those named by `ids`, those that match `filter`, or `all`; at most 1,000 a call. Each becomes done or not done as by a call of its own. Safe to send again: what is resolved stays so.
   */
  resolveDoubts(request: Body<"resolveDoubts">): Promise<Returned<"resolveDoubts">>;
  /**
   * Resolve an effect in doubt.
   * `done`: it happened, and is not run again. `not-done`: it did not happen, and may run; where its first run may still be under way, that needs `confirm`. Either way, a job that waits for it continues; `job` says what happens to it.
   * @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`, `CHANGED_MEANWHILE`, `RUN_MAY_BE_PENDING`, `RUN_SAID_DONE`
   */
  resolve(id: string, name: string, request: Body<"resolve">): Promise<Returned<"resolve">>;
  /**
   * List effects that no job runs.
   * Those of guards, the latest first, as far as one call may search. What did not happen is not known.
   */
  guardedEffects(query?: Query<"guardedEffects">): Promise<Returned<"guardedEffects">>;
  /**
   * Read what is known of an effect that no job runs.
   * @throws HoldfastError `JOB_NOT_FOUND`
   */
  guardedEffect(id: string): Promise<Returned<"guardedEffect">>;
  /**
   * Reserve an effect that another program runs.
   * 201: run it now, within `timeoutMs` from before this request, and report what became of it. 200: it was done before, by whomever; do not run it. Safe to send again with the same `reservationId`.
   * @throws HoldfastError `EFFECT_BUSY`, `IN_DOUBT`, `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`, `STORE_UNFIT`, `STORE_ROLLED_BACK`
   */
  reserveEffect(name: string, request: Body<"reserveEffect">): Promise<Returned<"reserveEffect">>;
  /**
   * Report that an effect is done.
   * Safe to send again. One that comes after its time is refused, and kept with the doubt.
   * @throws HoldfastError `RESERVATION_LOST`, `STORE_FULL`, `IN_DOUBT`
   */
  commitEffect(name: string, request: Body<"commitEffect">): Promise<Returned<"commitEffect">>;
  /**
   * Report that an effect provably did not happen.
   * The key is free for the next call. Only with proof: an error by itself proves nothing.
   * @throws HoldfastError `RESERVATION_LOST`, `STORE_FULL`, `IN_DOUBT`
   */
  releaseEffect(name: string, request: Body<"releaseEffect">): Promise<Returned<"releaseEffect">>;
  /**
   * Report that nobody can know whether an effect happened.
   * Nothing runs it again before somebody has resolved the doubt. Safe to send again.
   * @throws HoldfastError `RESERVATION_LOST`, `STORE_FULL`
   */
  doubtEffect(name: string, request: Body<"doubtEffect">): Promise<Returned<"doubtEffect">>;
  /**
   * List who did what.
   * One line for what was done together, whose entries `actId` lists. The newest 20,000 entries of each queue are searched, of those between `from` and `to`.
   * @throws HoldfastError `JOB_NOT_FOUND`, `QUEUE_NOT_FOUND`
   */
  auditTrail(
    limit?: Query<"auditTrail">["limit"],
    query?: Omit<Query<"auditTrail">, "limit">,
  ): Promise<Returned<"auditTrail">>;
  /**
   * List schedules.
   * Each schedule's next ticks, and the job of its last one. Those that the application declares are on the first page; those that were put at run time follow by name, `limit` a page.
   */
  schedules(query?: Query<"schedules">): Promise<Returned<"schedules">>;
  /**
   * Put a schedule.
   * Makes a schedule at run time, or changes one. Ticks after this instant, by Redis's clock, are those of the new version; earlier ones stay as they were. Safe to send again. 409 `SCHEDULE_DECLARED` for a schedule of the application's code.
   * @throws HoldfastError `CHANGED_MEANWHILE`, `UNKNOWN_JOB_TYPE`, `INVALID_PAYLOAD`, `SCHEDULE_DECLARED`, `STORE_FULL`
   */
  putSchedule(name: string, request: Body<"putSchedule">): Promise<Returned<"putSchedule">>;
  /**
   * Read what was put of a schedule.
   * The version in force, the secrets of its payload redacted.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `SCHEDULE_DECLARED`
   */
  scheduleDefinition(name: string): Promise<Returned<"scheduleDefinition">>;
  /**
   * Delete a schedule that was put.
   * It has no tick after this instant. Jobs of earlier ticks go on.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `SCHEDULE_DECLARED`, `CHANGED_MEANWHILE`
   */
  deleteSchedule(name: string, query?: Query<"deleteSchedule">): Promise<Returned<"deleteSchedule">>;
  /**
   * List what became of a schedule's ticks.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`
   */
  ticks(name: string, limit?: Query<"ticks">["limit"]): Promise<Returned<"ticks">>;
  /**
   * Explain why a tick did or did not run.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`
   */
  explainTick(name: string, at: Date): Promise<Returned<"explainTick">>;
  /**
   * Run a schedule's job now.
   * This does not change its ticks. With an `Idempotency-Key` header the request is safe to send again.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`
   */
  runSchedule(name: string, options: { readonly idempotencyKey: string }): Promise<Returned<"runSchedule">>;
  /**
   * Pause a schedule.
   * Its ticks are skipped until it is resumed, or until `until`, and not caught up then. Jobs of earlier ticks go on.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  pauseSchedule(name: string, request: Body<"pauseSchedule">): Promise<Returned<"pauseSchedule">>;
  /**
   * Skip one tick of a schedule.
   * A tick that is not due yet. It is not caught up. `undo` takes that back, as long as it is not due.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  skipTick(name: string, request: Body<"skipTick">): Promise<Returned<"skipTick">>;
  /**
   * Resume a schedule.
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  resumeSchedule(name: string, request?: Body<"resumeSchedule">): Promise<Returned<"resumeSchedule">>;
  /** List the job types. */
  types(): Promise<Returned<"types">>;
  /**
   * Read what happened.
   * Counts of attempts by outcome, and how long they waited and ran, by the minute for 2 days and by the hour for 15, whether or not anybody watched. With the starts of workers, pauses and bulk acts of that time.
   * @throws HoldfastError `QUEUE_NOT_FOUND`
   */
  history(query?: Query<"history">): Promise<Returned<"history">>;
  /**
   * Accept that Redis has lost data.
   * If Redis comes back with less than it had acknowledged, no job is accepted and no effect begins until an operator accepts the loss. Effects that were running at the time are in doubt either way.
   */
  acceptLoss(request: Body<"acceptLoss">): Promise<Returned<"acceptLoss">>;
  /** List queues. */
  queues(): Promise<Returned<"queues">>;
  /**
   * Read who has how many jobs of a queue.
   * By type and by key, those with the most waiting jobs first, at the same cost at any depth. Only keys count whose contract labels them.
   * @throws HoldfastError `QUEUE_NOT_FOUND`
   */
  crowd(name: string): Promise<Returned<"crowd">>;
  /**
   * Pause a queue.
   * No further job starts, on any worker; running jobs go on. Jobs are still accepted. It stays paused until it is resumed. With `type` or `key`, only jobs of that type or key are held, in place of a limit that it has.
   * @throws HoldfastError `QUEUE_NOT_FOUND`, `UNKNOWN_JOB_TYPE`, `CHANGED_MEANWHILE`
   */
  pauseQueue(name: string, request: Body<"pauseQueue">): Promise<Returned<"pauseQueue">>;
  /**
   * Resume a queue.
   * With `type` or `key`, that type or key is let go, whether it was paused or limited: its held jobs line up again. With `over`, the queue starts slowly: one job at a time at first, and in the end as many as its workers have slots. Another resume replaces that, and a pause ends it. A queue that is at full speed stays as it is, and nothing is recorded.
   * @throws HoldfastError `QUEUE_NOT_FOUND`, `UNKNOWN_JOB_TYPE`, `CHANGED_MEANWHILE`
   */
  resumeQueue(name: string, request?: Body<"resumeQueue">): Promise<Returned<"resumeQueue">>;
  /**
   * Limit a queue.
   * In place of what the application declares, until it is called again; with no limit at all, the declared ones count again. With `type` or `key`, only so many jobs of that type or key run at a time (`concurrency` alone); without it, it is let go. In a queue with partitions, each partition gets an equal share.
   * @throws HoldfastError `QUEUE_NOT_FOUND`, `UNKNOWN_JOB_TYPE`, `CHANGED_MEANWHILE`
   */
  limitQueue(name: string, request: Body<"limitQueue">): Promise<Returned<"limitQueue">>;
  /**
   * Quiet a worker.
   * That process alone claims no more jobs, from its next heartbeat on, within five seconds. Its running jobs go on, and it stays alive. It is quiet until it is woken or stopped; a restarted worker is another one. While Redis is away, it keeps to what it was told last.
   * @throws HoldfastError `WORKER_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  quietWorker(name: string, request: Body<"quietWorker">): Promise<Returned<"quietWorker">>;
  /**
   * Wake a quiet worker.
   * It claims jobs again from its next heartbeat on, within five seconds.
   * @throws HoldfastError `WORKER_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  wakeWorker(name: string, request?: Body<"wakeWorker">): Promise<Returned<"wakeWorker">>;
  /**
   * Read how much the outbox has.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`
   */
  outbox(): Promise<Returned<"outbox">>;
  /**
   * List parked rows of the outbox.
   * Rows that cannot be accepted as they are, each with its problem, and its payload without what its type redacts.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`
   */
  parkedRows(query?: Query<"parkedRows">): Promise<Returned<"parkedRows">>;
  /**
   * Mend and release a parked row.
   * What the body has replaces what the row has. A relay then submits it as if it were new. A row that was parked with `OUTBOX_ROW_TOO_OLD` may have become a job already: look for its key first.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`, `OUTBOX_ROW_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  releaseRow(id: string, request?: Body<"releaseRow">): Promise<Returned<"releaseRow">>;
  /**
   * Release all rows that were parked with a code.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`
   */
  releaseRows(request: Body<"releaseRows">): Promise<Returned<"releaseRows">>;
  /**
   * Delete all rows that were parked with a code.
   * Their jobs will not exist. Rows of their ordering keys that wait behind them go on.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`
   */
  discardRows(request: Body<"discardRows">): Promise<Returned<"discardRows">>;
  /**
   * Delete a parked row.
   * Its job will not exist. Rows of its ordering key that wait behind it go on.
   * @throws HoldfastError `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE`, `OUTBOX_ROW_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  discardRow(id: string, query?: Query<"discardRow">): Promise<Returned<"discardRow">>;
  /** See who is told what. */
  notices(limit?: Query<"notices">["limit"]): Promise<Returned<"notices">>;
  /**
   * Send a test to the receivers of notices.
   * A worker delivers it, as each notice. Whether it got there says `GET /notices`.
   * @throws HoldfastError `RECEIVER_NOT_FOUND`, `STORE_FULL`
   */
  testNotices(request: Body<"testNotices">): Promise<Returned<"testNotices">>;
}

export const routes: Readonly<Record<keyof OperationCalls, Route>> = {
  detail: { method: "GET", path: "/jobs/:id" },
  list: { method: "GET", path: "/jobs" },
  retry: { method: "POST", path: "/jobs/:id/retry", returns: "outcome" },
  cancel: { method: "POST", path: "/jobs/:id/cancel", returns: "outcome" },
  again: { method: "POST", path: "/jobs/:id/again" },
  delete: { method: "DELETE", path: "/jobs/:id", returns: "outcome" },
  acts: { method: "GET", path: "/jobs/acts", positional: ["limit"], returns: "acts" },
  act: { method: "GET", path: "/jobs/acts/:id" },
  stopAct: { method: "POST", path: "/jobs/acts/:id/stop" },
  failures: { method: "GET", path: "/failures" },
  doubts: { method: "GET", path: "/doubts", returns: "doubts" },
  doubtGroups: { method: "GET", path: "/doubts/groups" },
  askProbes: { method: "POST", path: "/doubts/probe" },
  resolveDoubts: { method: "POST", path: "/doubts/resolve" },
  resolve: { method: "POST", path: "/jobs/:id/effects/:name/resolve", returns: "job" },
  guardedEffects: { method: "GET", path: "/guarded-effects", returns: "effects" },
  guardedEffect: { method: "GET", path: "/guarded-effects/:id" },
  reserveEffect: { method: "POST", path: "/effects/:name/reserve" },
  commitEffect: { method: "POST", path: "/effects/:name/commit" },
  releaseEffect: { method: "POST", path: "/effects/:name/release" },
  doubtEffect: { method: "POST", path: "/effects/:name/doubt" },
  auditTrail: { method: "GET", path: "/audit", positional: ["limit"], returns: "entries" },
  schedules: { method: "GET", path: "/schedules" },
  putSchedule: { method: "PUT", path: "/schedules/:name" },
  scheduleDefinition: { method: "GET", path: "/schedules/:name/definition" },
  deleteSchedule: { method: "DELETE", path: "/schedules/:name", returns: "outcome" },
  ticks: { method: "GET", path: "/schedules/:name/ticks", positional: ["limit"], returns: "ticks" },
  explainTick: { method: "GET", path: "/schedules/:name/ticks/:at" },
  runSchedule: { method: "POST", path: "/schedules/:name/run", isKeyed: true },
  pauseSchedule: { method: "POST", path: "/schedules/:name/pause" },
  skipTick: { method: "POST", path: "/schedules/:name/skip" },
  resumeSchedule: { method: "POST", path: "/schedules/:name/resume" },
  types: { method: "GET", path: "/types", returns: "types" },
  history: { method: "GET", path: "/history" },
  acceptLoss: { method: "POST", path: "/store/accept-loss", returns: "accepted" },
  queues: { method: "GET", path: "/queues", returns: "queues" },
  crowd: { method: "GET", path: "/queues/:name/crowd" },
  pauseQueue: { method: "POST", path: "/queues/:name/pause" },
  resumeQueue: { method: "POST", path: "/queues/:name/resume" },
  limitQueue: { method: "PUT", path: "/queues/:name/limits" },
  quietWorker: { method: "POST", path: "/workers/:name/quiet" },
  wakeWorker: { method: "POST", path: "/workers/:name/wake" },
  outbox: { method: "GET", path: "/outbox" },
  parkedRows: { method: "GET", path: "/outbox/parked", returns: "rows" },
  releaseRow: { method: "POST", path: "/outbox/parked/:id/release" },
  releaseRows: { method: "POST", path: "/outbox/release", returns: "released" },
  discardRows: { method: "POST", path: "/outbox/discard", returns: "discarded" },
  discardRow: { method: "DELETE", path: "/outbox/parked/:id" },
  notices: { method: "GET", path: "/notices", positional: ["limit"] },
  testNotices: { method: "POST", path: "/notices/test", returns: "sent" },
};

/** How jobs are sent that are submitted together. */
export interface Joined {
  readonly path: string;
  /** The members that have jobs, each with what its jobs have beside the members of all submissions. */
  readonly jobs: Readonly<Record<string, readonly string[]>>;
  /** What its receipt has beside that of a job. */
  readonly receipt: readonly string[];
}

export const joined: Readonly<Record<string, Joined>> = {
  submitFlow: { path: "/flows", jobs: { parent: [], children: ["name"] }, receipt: ["children"] },
};
