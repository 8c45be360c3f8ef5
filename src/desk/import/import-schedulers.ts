import { hash } from "node:crypto";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schedule } from "../../roles/schedules/define-schedule.ts";
import {
  checkDefinition,
  type RuntimeScheduleDefinition,
  scheduledJob,
  scheduleOf,
} from "../../roles/schedules/definition.ts";
import { tickSubmission } from "../../roles/schedules/run-schedule.ts";
import { openScheduleOperator, type ScheduleOperator } from "../schedules.ts";
import type { BullmqQueue, BullmqScheduler, Withdrawn } from "./bullmq-queue.ts";
import {
  type ImportParts,
  type ImportReport,
  type ImportRequest,
  importProblem,
  payloadOf,
  requireYoung,
} from "./import-parts.ts";

/** More ticks than that do not fall due between two steps. */
const MISSED_MAX = 1_000;

/**
 * Puts a schedule for each job scheduler. The scheduler is withdrawn first, and the job of its next run stays: that is imported as a
 * job. So the schedule's first tick is the run after that, and each run has one job.
 */
export async function importSchedulers(
  parts: ImportParts,
  request: ImportRequest,
  report: ImportReport,
): Promise<void> {
  const { queue, path, application, settings } = parts;
  const { submitOwn } = path.submitter;
  const operator = openScheduleOperator({ stores: path.stores, application, settings, submitOwn });
  const putWithdrawn = async () => {
    for (const withdrawn of await queue.withdrawnSchedulers())
      await putOne(parts, request, report, operator, withdrawn);
  };
  if (!request.dryRun) await putWithdrawn();
  for (const scheduler of await queue.schedulers()) {
    if (request.name !== undefined && request.name !== scheduler.fields.name) continue;
    try {
      planOf(parts, request.type, scheduler);
    } catch (error) {
      parts.onIssue({ what: "schedule", id: scheduler.id, ...importProblem(error) });
      continue;
    }
    if (request.dryRun) {
      report.schedules += 1;
      report.jobs += await countNextRun(queue, scheduler);
    } else if (await queue.withdrawScheduler(scheduler.id, request.type)) await putWithdrawn();
  }
}

/** 1 where BullMQ has the job of a scheduler's next run, which is imported like the others. */
async function countNextRun(queue: BullmqQueue, { id, nextRun }: BullmqScheduler): Promise<number> {
  const [job] = await queue.read([`repeat:${id}:${nextRun}`]);
  return job?.kind === "scheduled" ? 1 : 0;
}

async function putOne(
  parts: ImportParts,
  { by }: ImportRequest,
  report: ImportReport,
  operator: ScheduleOperator,
  { id, type, ageMs, item }: Withdrawn<BullmqScheduler>,
): Promise<void> {
  const { queue, application, settings } = parts;
  try {
    if (item !== undefined) {
      requireYoung(ageMs, settings);
      const { name, definition } = planOf(parts, type, item);
      const status = await operator.put(name, definition, { by, reason: `imported from BullMQ: ${id}` });
      const schedule = scheduleOf(name, definition, scheduledJob(application, type));
      await submitMissed(parts, schedule, item.nextRun, Date.parse(status.stored?.since ?? ""));
      report.schedules += 1;
    }
    await queue.forgetScheduler(id);
  } catch (error) {
    parts.onIssue({ what: "schedule", id, ...importProblem(error) });
  }
}

/** Submits the ticks between the scheduler's last run and the instant from which the schedule is in force, under their own keys. */
async function submitMissed(
  { path }: ImportParts,
  schedule: Schedule,
  after: number,
  until: number,
): Promise<void> {
  let at = schedule.timetable.next(after);
  for (let count = 0; at !== undefined && at <= until && count < MISSED_MAX; count += 1) {
    await path.submitter.submitOwn(tickSubmission(schedule, at));
    at = schedule.timetable.next(at);
  }
}

/** @throws HoldfastError why it cannot be a schedule here */
function planOf(
  { application, settings, validate }: ImportParts,
  type: string,
  { id, nextRun, fields }: BullmqScheduler,
) {
  const { data = "{}", opts = "{}", limit, ic, endDate } = fields;
  if (ic === undefined)
    throw unfit("a repeatable job of `queue.add`, whose payload BullMQ keeps only with its next job");
  if (limit !== undefined) throw unfit(`it ends after ${limit} runs, and a schedule has no such limit`);
  const template: unknown = JSON.parse(opts);
  if (typeof template === "object" && template !== null && "priority" in template)
    throw unfit("its jobs have a priority, and those of a schedule have none");
  const name = nameOf(id);
  if (application.schedules.some((declared) => declared.name === name))
    throw unfit(`the application declares the schedule "${name}"`);
  const bounds = {
    startsAt: isoOf(nextRun + 1),
    ...(endDate !== undefined && { endsAt: isoOf(Number(endDate) + 1) }),
  };
  const checks = {
    application,
    validate,
    retentionMs: settings.HOLDFAST_RETENTION_MS,
  };
  const contract = scheduledJob(application, type);
  const rest = { type, payload: payloadOf(data), ...bounds };
  for (const when of timesOf(fields)) {
    const definition = checkDefinition(name, { ...when, ...rest }, checks);
    if (hasTick(scheduleOf(name, definition, contract), nextRun, definition.everyMs))
      return { name, definition };
  }
  throw unfit(
    `its next run, ${isoOf(nextRun)}, is no tick of ${fields.pattern} in ${fields.tz ?? `${zoneHere()} or UTC`}: wait for that run, or declare a schedule`,
  );
}

type When = Pick<RuntimeScheduleDefinition, "cron" | "timeZone" | "everyMs">;

/** BullMQ without a zone means the zone of the process that added the scheduler, which nothing says. */
function timesOf({ pattern, tz, every }: BullmqScheduler["fields"]): When[] {
  if (every !== undefined) return [{ everyMs: Number(every) }];
  // BullMQ's patterns may begin with a field for seconds.
  const cron = (pattern ?? "").trim().replace(/^0\s+(?=\S+(?:\s+\S+){4}$)/, "");
  const zones = tz === undefined ? [...new Set([zoneHere(), "UTC"])] : [tz];
  return zones.map((timeZone) => ({ cron, timeZone }));
}

/** Intervals count from 1970 here, and from the first run there. */
function hasTick({ pattern }: Schedule, at: number, everyMs: number | undefined): boolean {
  return everyMs !== undefined || pattern.next(at - 1) === at;
}

function zoneHere(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** The scheduler's id where it can be a name, or else what can be of it, and a part of its hash. */
function nameOf(id: string): string {
  if (NAME.test(id)) return id;
  const readable = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-$/g, "");
  return `${readable.slice(0, 48) || "schedule"}-${hash("sha256", id, "hex").slice(0, 8)}`;
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}

function unfit(message: string): HoldfastError {
  return new HoldfastError("INVALID_REQUEST", message);
}
