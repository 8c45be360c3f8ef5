import { z } from "zod";
import type { CurbOf } from "../../core/bullmq/curb/curb-name.ts";
import type { Partitions } from "../../core/bullmq/queue-control.ts";
import { type Override, type Pause, readControl } from "../../core/bullmq/queue-control.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { formatRate } from "../../core/define/queue-settings.ts";
import { addMark } from "../../core/history/marks.ts";
import { type Application, dividedFaults, type QueueLimits } from "../../core/job/application.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { features } from "../../features/index.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import { isoTime, nearestTime } from "../../platform/lib/iso-time.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { type Act, LIBRARY, onRecord, storedReason } from "../audit/audit-log.ts";
import { type FailureReader, failedCountShape } from "../jobs/failure-groups.ts";
import { limitsSchema, pauseSchema } from "../overview/overview.ts";
import { readWholeBacklog } from "../overview/read-backlog.ts";
import { type Crowd, readCrowd } from "./crowd.ts";
import {
  curb,
  curbSchema,
  curbText,
  isCurbed,
  letGo,
  readCurbViews,
  requireTypeOf,
  type SeenSince,
} from "./curbs.ts";
import { type Division, divideQueue } from "./divide-queue.ts";
import { isPausedAsSeen, overrideLimits, pauseQueue, resumeQueue } from "./queue-control.ts";
import { type ResumeAct, rampSchema, resumeActSchema, resumeReason, shownRamp } from "./ramps.ts";

const instant = z.iso.datetime();

/** A queue, and the hand that an operator has on it. */
export const queueSchema = z.object({
  name: z.string(),
  partitions: z.int(),
  paused: pauseSchema.nullable().meta({ description: "By whom and why; null if it is not paused." }),
  limits: limitsSchema.meta({ description: "In force; null where there is none." }),
  override: limitsSchema
    .extend({ by: z.string(), since: instant })
    .nullable()
    .meta({ description: "Limits set by hand, in place of the declared ones." }),
  declared: limitsSchema.meta({ description: "As the application declares them." }),
  ramp: rampSchema.nullable().meta({ description: "While its jobs start slowly, after a resume." }),
  curbs: z.array(curbSchema).meta({ description: "Types and keys that are paused or limited by hand." }),
  waiting: z.int().meta({
    description:
      "Jobs that wait for a worker, or are held for others of their key; prioritized ones included.",
  }),
  active: z.int(),
  delayed: z.int(),
  ...failedCountShape,
  workers: z.int(),
  quietWorkers: z.int().meta({ description: "Of these, those that were told to claim no more jobs." }),
});
export type QueueView = Readonly<z.output<typeof queueSchema>>;

// From JavaScript, anything can come.
const pauseActSchema = z.object({
  reason: z.string().refine((text) => text.trim() !== "", "expected a text"),
  by: z.string(),
});
const wantedLimitsSchema = z.strictObject({
  concurrency: z.int().min(1).optional(),
  rate: z.strictObject({ count: z.int().min(1), perMs: z.int().min(1) }).optional(),
});
/** Limits to set by hand. */
export type WantedLimits = Readonly<z.output<typeof wantedLimitsSchema>>;

const curbActSchema = pauseActSchema.extend({ concurrency: z.int().min(1).optional() });
/** `concurrency`: how many may run at a time; without it, none. */
type CurbAct = Readonly<z.output<typeof curbActSchema>>;
type PauseAct = Readonly<z.output<typeof pauseActSchema>>;

/** A queue's pause, as somebody has seen it who acts on it. */
export interface SeenPause {
  /** ISO 8601; null where it was not paused. */
  readonly pausedSince: string | null;
}

/** An operator's hand on queues. Each call fails with `QUEUE_NOT_FOUND` for a queue that the application does not have. */
export interface QueueOperator {
  list(): Promise<QueueView[]>;
  show(name: string): Promise<QueueView>;
  /**
   * Pauses a queue: no further job starts; running ones go on. It stays paused until it is resumed.
   *
   * @param act the reason is kept with the pause, and shown with it
   * @param expect the pause as you have seen it: if that has changed, nothing happens @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST` without a reason, `CHANGED_MEANWHILE`
   */
  pause(name: string, act: PauseAct, expect?: SeenPause): Promise<QueueView>;
  /**
   * A queue that is at full speed stays as it is.
   *
   * @param act with `overMs` its jobs start slowly, and reach full speed at the end of that time
   * @param expect as for `pause`
   * @throws HoldfastError `CHANGED_MEANWHILE`
   */
  resume(name: string, act?: ResumeAct, expect?: SeenPause): Promise<QueueView>;
  /**
   * Limits a queue by hand, in place of what the application declares; without any limit, the declared ones count again.
   *
   * @param seen since when the limits by hand that you have seen count, ISO 8601; null: there were none. If that has changed, nothing
   *   happens @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST` for a concurrency below the number of partitions, and for what is no limit, `CHANGED_MEANWHILE`
   */
  limit(name: string, limits: WantedLimits, by: string, seen?: SeenSince): Promise<QueueView>;
  /**
   * Pauses one type or one key of a queue, or limits how many of it run at a time. Jobs are held, not failed: those that run go on, and the others
   * wait until it is let go.
   *
   * @param of a type, or the label of a key as the contract makes it
   * @param seen since when what you have seen of it is so, ISO 8601; null: neither paused nor limited. If that has changed, nothing happens
   *   @default whatever it is
   * @throws HoldfastError `INVALID_REQUEST` without a reason, `UNKNOWN_JOB_TYPE`, `CHANGED_MEANWHILE`
   */
  curb(name: string, of: CurbOf, act: CurbAct, seen?: SeenSince): Promise<QueueView>;
  /**
   * Lets one type or one key go: it is neither paused nor limited any more.
   *
   * @param seen as for `curb`
   * @throws HoldfastError `UNKNOWN_JOB_TYPE`, `CHANGED_MEANWHILE`
   */
  letGo(name: string, of: CurbOf, act?: Act, seen?: SeenSince): Promise<QueueView>;
  /** Who has how many jobs: by type and by key, at the same cost at any depth. */
  crowd(name: string): Promise<Crowd>;
  /**
   * Gives a queue another number of partitions, while jobs are submitted and run. With the number that it has, the earlier ones are
   * forgotten once nothing needs them. That reads every key of the queue, so it takes as long as it takes.
   *
   * @throws HoldfastError `PARTITIONS_REFUSED`
   */
  divide(name: string, partitions: number): Promise<Division>;
}

export function openQueueOperator(
  stores: QueueStores,
  { jobs, queues }: Pick<Application, "jobs" | "queues">,
  prefix: string,
  countFailed: FailureReader["count"],
): QueueOperator {
  const partitionsOf = (name: string) => partitionsIn(stores, queues, name);
  const show = async (name: string) => showQueue(name, partitionsOf(name), stores, countFailed);

  // Each call as a whole must be done in time.
  return {
    list: () => inTime(Promise.all(queues.map(show))),
    show: (name) => inTime(show(name)),
    ...openPausing({ client: stores.client, partitionsOf, show, recorded }),
    limit: (name, limits, by, seen) => inTime(limit(name, limits, by, seen)),
    ...openCurbing({ jobs, partitionsOf, recorded }),
    crowd: (name) => inTime(readCrowd(partitionsOf(name))),
    async divide(name, partitions) {
      partitionsOf(name);
      requireDivisible(jobs.values(), name, partitions);
      return await divideQueue(stores, prefix, name, partitions);
    },
  };

  async function limit(name: string, limits: WantedLimits, by: string, seen?: SeenSince): Promise<QueueView> {
    parseInput(wantedLimitsSchema, limits);
    const partitions = partitionsOf(name);
    requireEnough(name, partitions.length, limits.concurrency);
    const override = await overrideOf(stores, limits, by);
    const act = { reason: limitsText(override), by };
    return await recorded(name, "limited", act, async () => {
      if (!(await overrideLimits(partitions, override, seen))) throw await limitsChanged(name, partitions);
    });
  }

  /** In the audit log, and as a mark in the charts. */
  async function recorded(
    name: string,
    kind: "paused" | "resumed" | "limited",
    { reason, by }: Act,
    act: (partitions: Partitions) => Promise<void>,
    expect?: SeenPause,
  ): Promise<QueueView> {
    const partitions = partitionsOf(name);
    await requirePause(name, partitions, expect);
    const [store] = partitions;
    await onRecord(store, { as: kind, evidence: storedReason(store, reason), by }, () => act(partitions));
    await addMark(store, { kind, text: reason ?? "", by });
    return await show(name);
  }
}

/** Does one of these acts to a queue, and records it. */
type Recorded = (
  name: string,
  kind: "paused" | "resumed" | "limited",
  act: Act,
  step: (partitions: Partitions) => Promise<void>,
  expect?: SeenPause,
) => Promise<QueueView>;

interface PausingParts {
  readonly client: QueueStores["client"];
  readonly partitionsOf: (name: string) => Partitions;
  readonly show: QueueOperator["show"];
  readonly recorded: Recorded;
}

function openPausing({
  client,
  partitionsOf,
  show,
  recorded,
}: PausingParts): Pick<QueueOperator, "pause" | "resume"> {
  return {
    pause: (name, act, expect) => inTime(pause(name, act, expect)),
    resume: (name, act = { by: LIBRARY }, expect) => inTime(resume(name, act, expect)),
  };

  async function pause(name: string, act: PauseAct, expect?: SeenPause): Promise<QueueView> {
    parseInput(pauseActSchema, act);
    const at = await redisNow(client);
    return await recorded(name, "paused", act, (all) => pauseQueue(all, { ...act, at }), expect);
  }

  async function resume(name: string, wanted: ResumeAct, expect?: SeenPause): Promise<QueueView> {
    parseInput(resumeActSchema, wanted);
    const { overMs, by } = wanted;
    const { pause, ramp } = await readControl(partitionsOf(name));
    const isRunning = pause === undefined && ramp === undefined && overMs === undefined;
    // Nothing to do, so nothing is on record; but whoever has seen a pause is told that it is gone.
    if (isRunning && (expect?.pausedSince ?? null) === null) return await show(name);
    const act = { by, reason: resumeReason(wanted, pause !== undefined) };
    const wantedRamp = overMs === undefined ? undefined : { overMs };
    return await recorded(name, "resumed", act, (all) => resumeQueue(all, wantedRamp), expect);
  }
}

interface CurbingParts {
  readonly jobs: ReadonlyMap<string, JobContract>;
  readonly partitionsOf: (name: string) => Partitions;
  readonly recorded: Recorded;
}

function openCurbing({ jobs, partitionsOf, recorded }: CurbingParts): Pick<QueueOperator, "curb" | "letGo"> {
  return {
    async curb(name, of, act, seen) {
      parseInput(curbActSchema, act);
      partitionsOf(name);
      requireTypeOf(name, of, jobs);
      const kind = act.concurrency === undefined ? "paused" : "limited";
      const recordedAs = { reason: aboutCurb(of, act.reason), by: act.by };
      return await inTime(recorded(name, kind, recordedAs, (all) => curb(all, of, act, seen)));
    },
    letGo: (name, of, act = { by: LIBRARY }, seen) => inTime(letGoOne(name, of, act, seen)),
  };

  async function letGoOne(name: string, of: CurbOf, { reason, by }: Act, seen?: SeenSince) {
    // A type that has left the queue may still be curbed there.
    if (!(await isCurbed(partitionsOf(name), of))) requireTypeOf(name, of, jobs);
    const recordedAs = { reason: aboutCurb(of, reason), by };
    return await recorded(name, "resumed", recordedAs, (all) => letGo(all, of, seen));
  }
}

/** In the audit log. */
function aboutCurb(of: CurbOf, reason: string | undefined): string {
  return reason === undefined ? curbText(of) : `${curbText(of)}: ${reason}`;
}

/** @throws HoldfastError `CHANGED_MEANWHILE` */
async function requirePause(
  name: string,
  partitions: Partitions,
  expect: SeenPause | undefined,
): Promise<void> {
  if (expect === undefined || (await isPausedAsSeen(partitions, expect))) return;
  const { pause } = await readControl(partitions);
  const now =
    pause === undefined
      ? `Queue ${name} is not paused any more`
      : `Queue ${name} was paused by ${pause.by || "another tool"} meanwhile: ${pause.reason || "without a reason"}`;
  throw new HoldfastError("CHANGED_MEANWHILE", `${now}. Nothing was done`);
}

async function limitsChanged(name: string, partitions: Partitions): Promise<HoldfastError> {
  const { override } = await readControl(partitions);
  const by = override === undefined ? "" : ` by ${override.by}`;
  const now = `Queue ${name} is limited${by} meanwhile: ${limitsText(override)}`;
  return new HoldfastError("CHANGED_MEANWHILE", `${now}. Nothing was done`);
}

function partitionsIn(stores: QueueStores, queues: readonly string[], name: string): Partitions {
  const [first, ...others] = queues.includes(name) ? stores.partitionsOf([name]) : [];
  if (first !== undefined) return [first, ...others];
  throw queueNotFound(name, queues);
}

async function showQueue(
  name: string,
  partitions: Partitions,
  { layouts }: QueueStores,
  countFailed: FailureReader["count"],
): Promise<QueueView> {
  const [{ pause, override, limits, declared, ramp }, { jobs, workers, quietWorkers }, failed, curbs] =
    await Promise.all([
      readControl(partitions),
      readWholeBacklog(partitions),
      countFailed(partitions),
      readCurbViews(partitions),
    ]);
  return {
    name,
    partitions: layouts.of(name).partitions,
    paused: shownPause(pause),
    limits: shownLimits(limits),
    override:
      override === undefined
        ? null
        : { ...shownLimits(override), by: override.by, since: isoTime(override.since) },
    declared: shownLimits(declared),
    ramp: shownRamp(ramp),
    curbs,
    waiting: jobs.waiting + jobs.prioritized,
    active: jobs.active,
    delayed: jobs.delayed,
    ...failed,
    workers,
    quietWorkers,
  };
}

/** @returns undefined where there is no limit: then the declared ones count again */
async function overrideOf(
  { client }: QueueStores,
  { concurrency, rate }: WantedLimits,
  by: string,
): Promise<Override | undefined> {
  if (concurrency === undefined && rate === undefined) return undefined;
  return { concurrency, rate, by, since: Math.floor(await redisNow(client)) };
}

/** As people see it; null for a queue that is not paused. */
export function shownPause(pause: Pause | undefined): z.output<typeof pauseSchema> | null {
  if (pause === undefined) return null;
  return { ...pause, since: pause.since === undefined ? null : nearestTime(pause.since) };
}

/** As people see them; null where there is none. */
export function shownLimits({ concurrency, rate }: QueueLimits) {
  return { concurrency: concurrency ?? null, rate: rate === undefined ? null : formatRate(rate) };
}

/** @param override what counts in place of what is declared */
function limitsText(override: QueueLimits | undefined): string {
  if (override === undefined) return "as declared";
  const { concurrency, rate } = override;
  const texts = [concurrency && `${concurrency} at a time`, rate && formatRate(rate)];
  return texts.filter(Boolean).join(", ");
}

export function queueNotFound(name: string, queues: readonly string[]): HoldfastError {
  return new HoldfastError("QUEUE_NOT_FOUND", `There is no queue "${name}"; ${suggestion(name, queues)}`);
}

function requireEnough(name: string, partitions: number, found: number | undefined): void {
  if (found === undefined || found >= partitions) return;
  const message = `${name} has ${partitions} partitions: expected a concurrency of at least that, got ${found}`;
  throw new HoldfastError("INVALID_REQUEST", message, { issues: [{ pointer: "/concurrency", message }] });
}

function requireDivisible(jobs: Iterable<JobContract>, name: string, partitions: number): void {
  const faults = dividedFaults(features, jobs, (queue) => (queue === name ? partitions : 1));
  if (faults.length > 0) throw new HoldfastError("PARTITIONS_REFUSED", faults.join("\n"));
}
