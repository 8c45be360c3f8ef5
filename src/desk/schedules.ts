import { z } from "zod";
import type { QueueStore, QueueStores } from "../core/bullmq/store/queue-store.ts";
import type { Application } from "../core/job/application.ts";
import { INTERNAL_QUEUE } from "../core/job/internal-queue.ts";
import type { Receipt } from "../core/job/submit-options.ts";
import type { Submitter } from "../core/submit/submitter.ts";
import { openValidator } from "../core/submit/validate.ts";
import { features } from "../features/index.ts";
import type { Settings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { suggestion } from "../platform/lib/did-you-mean.ts";
import { isoOrNull, isoTime } from "../platform/lib/iso-time.ts";
import { malformed } from "../platform/lib/parse-json.ts";
import { redisNow } from "../platform/redis/fitness/clock.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import type { Schedule } from "../roles/schedules/define-schedule.ts";
import {
  checkDefinition,
  type PutScheduleDefinition,
  type RuntimeScheduleDefinition,
  storedForm,
} from "../roles/schedules/definition.ts";
import {
  describeExplanation,
  explainTick,
  openScheduleReader,
  readPastTicks,
  readSchedules,
  type ScheduleReader,
} from "../roles/schedules/read-schedule.ts";
import { runNow } from "../roles/schedules/run-schedule.ts";
import {
  type PastTick,
  type ScheduleStatus,
  scheduleStatusSchema,
  type TickExplanation,
} from "../roles/schedules/schedule-status.ts";
import { definitionOf, inForce, wholeSchedule } from "../roles/schedules/stored/stored-schedule.ts";
import { openStoredSchedules, type StoredSchedules } from "../roles/schedules/stored/stored-schedules.ts";
import { type Act, appendToAuditLog, LIBRARY, onRecord, storedReason } from "./audit/audit-log.ts";
import { redact, redactionOf } from "./jobs/redact.ts";
import type { SeenPause } from "./queues/queues.ts";

export interface ScheduleQuery {
  /** What their names begin with. @default all */
  readonly prefix?: string | undefined;
  /** The `nextCursor` of the page before. @default the first page */
  readonly cursor?: string | undefined;
  /** How many of those that were put at run time, at most. @default 100 */
  readonly limit?: number | undefined;
  /** How many of each one's next ticks. @default 5 */
  readonly next?: number | undefined;
  /** How many of each one's ticks that were due. @default 0 */
  readonly past?: number | undefined;
}

/** Those that the application declares, on the first page alone, then those that were put at run time, in order of their names. */
export const schedulePageSchema = z.object({
  schedules: z.array(scheduleStatusSchema),
  nextCursor: z.string().nullable().meta({ description: "Null on the last page." }),
});
export type SchedulePage = Readonly<z.output<typeof schedulePageSchema>>;

interface SchedulePauseAct {
  readonly reason: string;
  readonly by: string;
  readonly until?: number | undefined;
}

/** An operator's hand on schedules. Each call fails with `SCHEDULE_NOT_FOUND` for one that is neither declared nor was put. */
export interface ScheduleOperator {
  /** Lists schedules. */
  list(query?: ScheduleQuery): Promise<SchedulePage>;
  /** What became of a schedule's ticks, the latest first. */
  ticks(name: string, limit: number): Promise<PastTick[]>;
  /** Why a tick did or did not run. @param at the instant, in milliseconds since 1970 */
  explain(name: string, at: number): Promise<ExplainedTick>;
  /**
   * Puts a schedule, or changes it. Ticks after this instant, by Redis's clock, are those of the new version; earlier ones stay as they
   * were. If it says the same already, nothing changes.
   *
   * @param definition its job by contract (`job`) or by name (`type`), never both
   * @param seen the version that you have seen; null: there was none. If that has changed, nothing happens @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST`, `UNKNOWN_JOB_TYPE`, `INVALID_PAYLOAD`, `SCHEDULE_DECLARED`, `CHANGED_MEANWHILE`
   */
  put<PayloadIn>(
    name: string,
    definition: PutScheduleDefinition<PayloadIn>,
    act?: Act,
    seen?: number | null,
  ): Promise<ScheduleStatus>;
  /**
   * Reads what was put, its secrets redacted.
   *
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `SCHEDULE_DECLARED`, `DECRYPTION_FAILED`
   */
  definition(name: string): Promise<RuntimeScheduleDefinition>;
  /**
   * Deletes a schedule that was put: it has no tick after this instant. Jobs of earlier ticks go on.
   *
   * @param seen as for `put`
   * @throws HoldfastError `SCHEDULE_NOT_FOUND`, `SCHEDULE_DECLARED`, `CHANGED_MEANWHILE`
   */
  delete(name: string, act?: Act, seen?: number): Promise<void>;
  /**
   * Pauses a schedule: its ticks are skipped, and never caught up, until it is resumed. Jobs of earlier ticks go on.
   *
   * @param act the reason is kept with the pause, and shown with it; `until` is when it ends by itself, in milliseconds since 1970
   * @param expect the pause as you have seen it: if that has changed, nothing happens @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST` for an end that is over, `CHANGED_MEANWHILE`
   */
  pause(name: string, act: SchedulePauseAct, expect?: SeenPause): Promise<ScheduleStatus>;
  /**
   * Skips one tick that is not due yet. It is not caught up.
   *
   * @param at the tick, in milliseconds since 1970
   * @param wasSkipped as you have seen it: if that has changed, nothing happens @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST` where no tick is then, or it is due, `CHANGED_MEANWHILE`
   */
  skip(name: string, at: number, act: SchedulePauseAct, wasSkipped?: boolean): Promise<ScheduleStatus>;
  /** Takes that back. @param wasSkipped as for `skip` @throws HoldfastError `CHANGED_MEANWHILE` */
  unskip(name: string, at: number, act?: Act, wasSkipped?: boolean): Promise<ScheduleStatus>;
  /** @param expect as for `pause` @throws HoldfastError `CHANGED_MEANWHILE` */
  resume(name: string, act?: Act, expect?: SeenPause): Promise<ScheduleStatus>;
  /**
   * Submits a schedule's job out of turn, on record before and after it.
   *
   * @param request the caller's name for its request, which makes it safe to repeat @default none
   */
  run(name: string, act?: Act, request?: string): Promise<Receipt>;
}

/** Why a tick did or did not run, also as a sentence. */
export type ExplainedTick = TickExplanation & { readonly text: string };

/** How many of the next ticks an answer has. */
const NEXT_SHOWN = 5;
const LISTED = 100;

export interface ScheduleParts {
  readonly stores: QueueStores;
  readonly application: Application;
  readonly settings: Settings;
  readonly submitOwn: Submitter["submitOwn"];
}

export function openScheduleOperator(parts: ScheduleParts): ScheduleOperator {
  const { stores, application, settings, submitOwn } = parts;
  const { schedules } = application;
  const reader = openScheduleReader(stores, settings);
  const stored = openStoredSchedules(stores, application, settings);
  const store = stores.of(INTERNAL_QUEUE);
  const { put, remove } = openChanges(parts, stored, reader);

  async function find(name: string): Promise<Schedule> {
    const found = schedules.find((schedule) => schedule.name === name);
    const schedule = found ?? wholeSchedule(await stored.read(name), stored);
    if (schedule !== undefined) return schedule;
    throw notFound(schedules, name);
  }

  async function statusOf(schedule: Schedule): Promise<ScheduleStatus> {
    const [status] = await readSchedules(reader, async () => [schedule], { next: NEXT_SHOWN, past: 0 });
    if (status === undefined) throw notFound(schedules, schedule.name);
    return status;
  }

  const changed =
    (act: Act & { readonly as: string }, step: () => Promise<void>) => async (schedule: Schedule) => {
      await onRecord(store, entryOf(store, schedule.name, act), step);
      return await statusOf(schedule);
    };
  // Each call as a whole must be done in time.
  const onFound = <T>(name: string, use: (schedule: Schedule) => Promise<T>) => inTime(find(name).then(use));
  return {
    list: (query = {}) => listPage(reader, stored, query),
    ticks: (name, limit) => onFound(name, (schedule) => readPastTicks(reader, schedule, limit)),
    async explain(name, at) {
      const explanation = await onFound(name, (schedule) => explainTick(reader, schedule, at));
      return { ...explanation, text: describeExplanation(explanation) };
    },
    put: (name, definition, act = { by: LIBRARY }, seen) =>
      inTime(
        put(name, definition, act, seen)
          .then(() => find(name))
          .then(statusOf),
      ),
    definition: (name) => inTime(definitionInForce(stored, name)),
    delete: (name, act = { by: LIBRARY }, seen) => inTime(remove(name, act, seen)),
    run: (name, act = { by: LIBRARY }, request) =>
      onFound(name, (schedule) => runOnRecord({ store, submitOwn }, schedule, act, request)),
    ...openPauses({ now: () => redisNow(stores.client), reader, changed, onFound }),
  };
}

interface PauseParts {
  now(): Promise<number>;
  readonly reader: Pick<ScheduleReader, "pauses">;
  readonly changed: (
    act: Act & { readonly as: string },
    step: () => Promise<void>,
  ) => (schedule: Schedule) => Promise<ScheduleStatus>;
  readonly onFound: <T>(name: string, use: (schedule: Schedule) => Promise<T>) => Promise<T>;
}

function openPauses({
  now,
  reader: { pauses },
  changed,
  onFound,
}: PauseParts): Pick<ScheduleOperator, "pause" | "skip" | "unskip" | "resume"> {
  return {
    pause: (name, act, expect) =>
      onFound(
        name,
        changed({ as: "schedule-paused", by: act.by, reason: untilText(act) }, async () => {
          requireAhead(act.until, await now());
          await pauses.pause(name, act, expect?.pausedSince);
        }),
      ),
    skip: (name, at, act, wasSkipped) =>
      onFound(name, async (schedule) => {
        requireTickAhead(schedule, at, await now());
        const recorded = { by: act.by, reason: `${isoTime(at)}: ${act.reason}` };
        const skip = () => pauses.skip(name, at, act, wasSkipped);
        return await changed({ as: "schedule-tick-skipped", ...recorded }, skip)(schedule);
      }),
    unskip: (name, at, { by } = { by: LIBRARY }, wasSkipped) =>
      onFound(name, async (schedule) => {
        requireTickAhead(schedule, at, await now());
        const unskip = () => pauses.unskip(name, at, wasSkipped);
        return await changed({ as: "schedule-tick-unskipped", by, reason: isoTime(at) }, unskip)(schedule);
      }),
    resume: (name, act = { by: LIBRARY }, expect) =>
      onFound(
        name,
        changed({ as: "schedule-resumed", ...act }, () => pauses.resume(name, expect?.pausedSince)),
      ),
  };
}

function untilText({
  reason,
  until,
}: {
  readonly reason: string;
  readonly until?: number | undefined;
}): string {
  return until === undefined ? reason : `${reason} (until ${isoTime(until)})`;
}

function requireAhead(until: number | undefined, now: number): void {
  if (until !== undefined && until <= now)
    throw malformed([{ pointer: "/until", message: `expected an instant after ${isoTime(now)}` }]);
}

/** @throws HoldfastError `INVALID_REQUEST` for an instant at which there is no tick, or that is over */
function requireTickAhead({ timetable }: Schedule, at: number, now: number): void {
  if (timetable.next(at - 1) !== at || at <= now) {
    const next = isoOrNull(timetable.next(now)) ?? "none";
    throw malformed([
      { pointer: "/at", message: `expected a tick that is not due yet; the next is ${next}` },
    ]);
  }
}

async function runOnRecord(
  { store, submitOwn }: Pick<ScheduleParts, "submitOwn"> & { readonly store: QueueStore },
  schedule: Schedule,
  act: Act,
  request: string | undefined,
): Promise<Receipt> {
  const started = entryOf(store, schedule.name, { as: "schedule-run-started", ...act });
  const instead = await appendToAuditLog(store, started);
  const receipt = await runNow({ submitOwn }, schedule, request);
  if (!receipt.duplicate) {
    const entry = entryOf(store, schedule.name, { as: "schedule-run", job: receipt.id, ...act });
    await appendToAuditLog(store, { ...entry, instead });
  }
  return receipt;
}

async function listPage(
  reader: ScheduleReader,
  stored: StoredSchedules,
  { prefix = "", cursor, limit = LISTED, next = NEXT_SHOWN, past = 0 }: ScheduleQuery,
): Promise<SchedulePage> {
  const { schedules } = stored.application;
  let nextCursor: string | null = null;
  const find = async () => {
    const page = await stored.list({ prefix, after: cursor, limit });
    nextCursor = page.next ?? null;
    const declared = cursor === undefined ? schedules.filter(({ name }) => name.startsWith(prefix)) : [];
    const put = page.found
      .filter(({ name }) => !isDeclared(schedules, name))
      .flatMap((each) => wholeSchedule(each, stored) ?? []);
    return [...declared, ...put];
  };
  return { schedules: await readSchedules(reader, find, { next, past }), nextCursor };
}

async function definitionInForce(stored: StoredSchedules, name: string): Promise<RuntimeScheduleDefinition> {
  const { jobs, schedules } = stored.application;
  if (isDeclared(schedules, name)) throw declaredElsewhere(name);
  const version = inForce(await stored.read(name));
  if (version === undefined) throw notFound(schedules, name);
  const { payload, ...definition } = definitionOf(name, version, stored);
  return { ...definition, payload: redact(payload, redactionOf(jobs, definition.type).payload) };
}

function openChanges(
  { stores, application, settings }: ScheduleParts,
  stored: StoredSchedules,
  { pauses }: Pick<ScheduleReader, "pauses">,
) {
  const { schedules } = application;
  const retentionMs = settings.HOLDFAST_RETENTION_MS;
  const checks = { application, retentionMs, validate: openValidator(features) };
  const store = stores.of(INTERNAL_QUEUE);
  return {
    async put(
      name: string,
      definition: PutScheduleDefinition<unknown>,
      act: Act,
      seen?: number | null,
    ): Promise<void> {
      if (isDeclared(schedules, name)) throw declaredElsewhere(name);
      const checked = checkDefinition(name, storedForm(definition), checks);
      await onRecord(store, entryOf(store, name, { as: "schedule-put", ...act }), async () => {
        // A pause was of the one that had this name before.
        if (seen == null && inForce(await stored.read(name)) === undefined) await pauses.resume(name);
        await stored.put(name, checked, seen);
      });
    },
    async remove(name: string, act: Act, seen?: number): Promise<void> {
      // One that the application declares by now may still be stored.
      if (inForce(await stored.read(name)) === undefined)
        throw isDeclared(schedules, name) ? declaredElsewhere(name) : notFound(schedules, name);
      await onRecord(store, entryOf(store, name, { as: "schedule-deleted", ...act }), async () => {
        await stored.delete(name, seen);
      });
    },
  };
}

function entryOf(
  store: QueueStore,
  schedule: string,
  { reason, ...act }: Act & { readonly as: string; readonly job?: string },
) {
  return { ...act, schedule, evidence: storedReason(store, reason) };
}

function isDeclared(schedules: readonly Schedule[], name: string): boolean {
  return schedules.some((schedule) => schedule.name === name);
}

function notFound(schedules: readonly Schedule[], name: string): HoldfastError {
  const known = schedules.map((schedule) => schedule.name);
  return new HoldfastError(
    "SCHEDULE_NOT_FOUND",
    `There is no schedule "${name}"; ${suggestion(name, known)}`,
  );
}

function declaredElsewhere(name: string): HoldfastError {
  return new HoldfastError(
    "SCHEDULE_DECLARED",
    `The application declares the schedule "${name}": change it in its code`,
  );
}
