import type { QueueStores } from "../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../core/job/internal-queue.ts";
import type { Receipt } from "../core/job/submit-options.ts";
import type { Submitter } from "../core/submit/submitter.ts";
import type { Schedule } from "../features/schedules/define-schedule.ts";
import {
  describeExplanation,
  explainTick,
  openScheduleReader,
  readPastTicks,
  readSchedule,
} from "../features/schedules/read-schedule.ts";
import { runNow } from "../features/schedules/run-now.ts";
import type { PastTick, ScheduleStatus, TickExplanation } from "../features/schedules/schedule-status.ts";
import type { Settings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { suggestion } from "../platform/lib/did-you-mean.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import { type Act, appendToAuditLog, LIBRARY, onRecord, storedReason } from "./audit/audit-log.ts";

/** An operator's hand on schedules. Each call fails with `SCHEDULE_NOT_FOUND` for one that the application does not have. */
export interface ScheduleOperator {
  /** Lists schedules. @param next how many of each one's next ticks */
  list(next?: number): Promise<ScheduleStatus[]>;
  /** What became of a schedule's ticks, the latest first. */
  ticks(name: string, limit: number): Promise<PastTick[]>;
  /** Why a tick did or did not run. @param at the instant, in milliseconds since 1970 */
  explain(name: string, at: number): Promise<ExplainedTick>;
  /**
   * Pauses a schedule: its ticks are skipped, and never caught up, until it is resumed. Jobs of earlier ticks go on.
   *
   * @param act the reason is kept with the pause, and shown with it
   */
  pause(name: string, act: { readonly reason: string; readonly by: string }): Promise<ScheduleStatus>;
  resume(name: string, act?: Act): Promise<ScheduleStatus>;
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

export function openScheduleOperator(
  stores: QueueStores,
  schedules: readonly Schedule[],
  settings: Settings,
  submitOwn: Submitter["submitOwn"],
): ScheduleOperator {
  const reader = openScheduleReader(stores, settings);
  const store = stores.of(INTERNAL_QUEUE);

  const find = (name: string): Schedule => findSchedule(schedules, name);

  async function run(schedule: Schedule, act: Act, request: string | undefined): Promise<Receipt> {
    await appendToAuditLog(store, entryOf(schedule.name, { as: "schedule-run-started", ...act }));
    const receipt = await runNow({ submitOwn }, schedule, request);
    if (!receipt.duplicate)
      await appendToAuditLog(store, entryOf(schedule.name, { as: "schedule-run", job: receipt.id, ...act }));
    return receipt;
  }

  async function pause(schedule: Schedule, act: Act & { readonly reason: string }): Promise<ScheduleStatus> {
    await onRecord(store, entryOf(schedule.name, { as: "schedule-paused", ...act }), () =>
      reader.pauses.pause(schedule.name, act),
    );
    return await readSchedule(reader, schedule, NEXT_SHOWN);
  }

  async function resume(schedule: Schedule, act: Act): Promise<ScheduleStatus> {
    await onRecord(store, entryOf(schedule.name, { as: "schedule-resumed", ...act }), () =>
      reader.pauses.resume(schedule.name),
    );
    return await readSchedule(reader, schedule, NEXT_SHOWN);
  }

  // Each call as a whole must be done in time.
  return {
    list: (next = NEXT_SHOWN) =>
      inTime(Promise.all(schedules.map((schedule) => readSchedule(reader, schedule, next)))),
    ticks: async (name, limit) => await inTime(readPastTicks(reader, find(name), limit)),
    async explain(name, at) {
      const explanation = await inTime(explainTick(reader, find(name), at));
      return { ...explanation, text: describeExplanation(explanation) };
    },
    run: async (name, act = { by: LIBRARY }, request) => await inTime(run(find(name), act, request)),
    pause: async (name, act) => await inTime(pause(find(name), act)),
    resume: async (name, act = { by: LIBRARY }) => await inTime(resume(find(name), act)),
  };

  function entryOf(
    schedule: string,
    { reason, ...act }: Act & { readonly as: string; readonly job?: string },
  ) {
    return { ...act, schedule, evidence: storedReason(store, reason) };
  }
}

function findSchedule(schedules: readonly Schedule[], name: string): Schedule {
  const schedule = schedules.find((candidate) => candidate.name === name);
  if (schedule !== undefined) return schedule;
  const known = schedules.map((candidate) => candidate.name);
  throw new HoldfastError("SCHEDULE_NOT_FOUND", `There is no schedule "${name}"; ${suggestion(name, known)}`);
}
