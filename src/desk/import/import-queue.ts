import { hash } from "node:crypto";
import { formatRate } from "../../core/define/queue-settings.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import { openValidator } from "../../core/submit/validate.ts";
import { features } from "../../features/index.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { openFailureReader } from "../jobs/failure-groups.ts";
import { openQueueOperator } from "../queues/queues.ts";
import {
  type BullmqQueue,
  type Counts,
  type ImportableJob,
  type Kind,
  places,
  type Withdrawn,
} from "./bullmq-queue.ts";
import {
  type CarriedLimits,
  type ImportParts,
  type ImportReport,
  type ImportRequest,
  importProblem,
  payloadOf,
  requireYoung,
} from "./import-parts.ts";
import { importSchedulers } from "./import-schedulers.ts";

const PAGE = 100;
const IN_FLIGHT_MAX = 64;
/** Jobs move from place to place meanwhile, and others are added. */
const ROUNDS_MAX = 5;
/**
 * Moves what waits in a BullMQ queue into Holdfast: first its schedulers, then its jobs, in the order in which they would be claimed.
 *
 * Each is withdrawn in one step, so that either BullMQ's workers or Holdfast's get it; then it is submitted, under a key made of its
 * own; then it is forgotten. Another run finishes what an interrupted one has withdrawn.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_FULL`, …: what is withdrawn then waits for another run
 */
export async function importQueue(
  parts: Omit<ImportParts, "validate">,
  request: ImportRequest,
): Promise<ImportReport> {
  const report: ImportReport = {
    jobs: 0,
    duplicates: 0,
    schedules: 0,
    issues: 0,
    paused: null,
    limits: null,
  };
  const issues = new Set<string>();
  const counted: ImportParts = {
    ...parts,
    validate: openValidator(features),
    onIssue(issue) {
      const known = `${issue.what} ${issue.id}`;
      if (issues.has(known)) return;
      issues.add(known);
      report.issues += 1;
      parts.onIssue(issue);
    },
  };
  // First: no imported job may start where BullMQ's would not.
  report.paused = await carryPause(counted, request);
  report.limits = await carryLimits(counted, request);
  if (!request.dryRun) await submitWithdrawn(counted, request, report, await parts.queue.withdrawn());
  await importSchedulers(counted, request, report);
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const before = report.jobs;
    for (const place of places) await importPlace(counted, request, report, place);
    if (request.dryRun || report.jobs === before) break;
  }
  return report;
}

/** @returns the queue of the type, which is paused because BullMQ's is; null where that is not */
async function carryPause(
  parts: ImportParts,
  { type, start, dryRun, by }: ImportRequest,
): Promise<string | null> {
  const { queue, application } = parts;
  const target = application.jobs.get(type)?.queue;
  if (target === undefined || !(await queue.isPaused())) return null;
  const queues = operatorOf(parts);
  if (dryRun || (await queues.show(target)).paused !== null) return target;
  await queues.pause(target, {
    reason: `BullMQ's queue ${start.slice(0, -1)} was paused when it was imported`,
    by,
  });
  return target;
}

/** A queue that has limits of its own, declared or by hand, keeps them. */
async function carryLimits(
  parts: ImportParts,
  { type, dryRun, by }: ImportRequest,
): Promise<CarriedLimits | null> {
  const { queue, application } = parts;
  const { concurrency, rate } = await queue.limits();
  const target = application.jobs.get(type)?.queue;
  if (target === undefined || (concurrency === undefined && rate === undefined)) return null;
  const queues = operatorOf(parts);
  const { limits: own, partitions } = await queues.show(target);
  const wanted = {
    concurrency: concurrency === undefined ? undefined : Math.max(concurrency, partitions),
    rate,
  };
  const shown = {
    concurrency: wanted.concurrency ?? null,
    rate: rate === undefined ? null : formatRate(rate),
  };
  const isFree = own.concurrency === null && own.rate === null;
  if (isFree && !dryRun) await queues.limit(target, wanted, by);
  const isCarried = isFree || (own.concurrency === shown.concurrency && own.rate === shown.rate);
  return { queue: target, ...shown, isCarried };
}

function operatorOf({ path, application, settings }: ImportParts) {
  return openQueueOperator(path.stores, application, settings.HOLDFAST_PREFIX, openFailureReader().count);
}

export async function namesIn(queue: BullmqQueue): Promise<string[]> {
  const schedulers = await queue.schedulers();
  const names = new Set(schedulers.flatMap(({ fields }) => fields.name ?? []));
  for (const place of places) {
    for (let skip = 0; ; skip += PAGE) {
      const ids = await queue.ids(place, skip, PAGE);
      for (const name of await queue.namesOf(ids)) names.add(name);
      if (ids.length < PAGE) break;
    }
  }
  return [...names].sort();
}

export function toImport({ delayed, prioritized, wait, paused, withdrawn }: Counts): number {
  return delayed + prioritized + wait + paused + withdrawn;
}

async function importPlace(
  parts: ImportParts,
  request: ImportRequest,
  report: ImportReport,
  place: (typeof places)[number],
): Promise<void> {
  const { queue } = parts;
  // What stays, stays in front of the rest.
  for (let stay = 0; ; ) {
    const ids = await queue.ids(place, stay, PAGE);
    if (ids.length === 0) return;
    const fitting = (await queue.read(ids)).filter((job) => fits(parts, request, job));
    if (request.dryRun) {
      stay += ids.length;
      report.jobs += fitting.length;
      parts.onProgress(report);
      continue;
    }
    stay += ids.length - fitting.length;
    if (fitting.length === 0) continue;
    const withdrawn = await queue.withdraw(
      fitting.map(({ id }) => id),
      request.type,
      stay,
    );
    await submitWithdrawn(parts, request, report, await queue.withdrawn(withdrawn));
  }
}

const reasons: Readonly<Record<Exclude<Kind, "job">, string | undefined>> = {
  child: "a child of a flow, whose parent waits for it in BullMQ",
  parent: "the parent of a flow, whose children's results are in BullMQ",
  // Its scheduler is reported.
  scheduled: undefined,
  gone: undefined,
};

/** Whether a job can be imported. If not, that is an issue, or its place is elsewhere. */
function fits(
  parts: ImportParts,
  request: ImportRequest,
  job: ImportableJob & { readonly kind: Kind },
): boolean {
  if (job.kind !== "job") {
    const reason = reasons[job.kind];
    const isMeant = request.name === undefined || request.name === job.name;
    if (reason !== undefined && isMeant)
      parts.onIssue({ what: "job", id: job.id, code: "FLOW", message: reason });
    return false;
  }
  if (request.name !== undefined && request.name !== job.name) return false;
  try {
    parts.validate(parts.application, submissionOf(job, request.type, request.start));
    return true;
  } catch (error) {
    parts.onIssue({ what: "job", id: job.id, ...importProblem(error) });
    return false;
  }
}

/** Submits jobs that were withdrawn from the queue, in order, and forgets them. */
async function submitWithdrawn(
  parts: ImportParts,
  { start }: ImportRequest,
  report: ImportReport,
  withdrawn: readonly Withdrawn<ImportableJob>[],
): Promise<void> {
  const { queue, path, settings, onIssue, onProgress } = parts;
  const submitOne = async ({ id, type, ageMs, item }: Withdrawn<ImportableJob>): Promise<string[]> => {
    if (item === undefined) return [id];
    try {
      requireYoung(ageMs, settings);
      const { duplicate } = await path.submitter.submit(submissionOf(item, type, start));
      report.jobs += 1;
      if (duplicate) report.duplicates += 1;
      onProgress(report);
      return [id];
    } catch (error) {
      onIssue({ what: "job", id, ...importProblem(error) });
      return [];
    }
  };
  for (let from = 0; from < withdrawn.length; from += PAGE) {
    const accepted = await mapInFlight(withdrawn.slice(from, from + PAGE), IN_FLIGHT_MAX, submitOne);
    await queue.forget(accepted.flat());
  }
}

/** Always the same for the same job, wherever it is by now. @throws HoldfastError `INVALID_PAYLOAD` for data that is no JSON */
function submissionOf({ id, data, timestamp, priority, dueAt }: ImportableJob, type: string, start: string) {
  return {
    type,
    payload: payloadOf(data),
    idempotencyKey: keyOf(`bullmq:${start}${id}:${timestamp}`),
    options: {
      ...(priority > 0 && { priority }),
      ...(dueAt !== undefined && { runAt: new Date(dueAt).toISOString() }),
    },
  };
}

/** BullMQ uses an id again once its job is gone, so the time at which it was added belongs to it. */
function keyOf(text: string): string {
  return keyFault(text) === undefined ? text : `bullmq:sha256:${hash("sha256", text, "hex")}`;
}
