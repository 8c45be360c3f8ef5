import { randomUUID } from "node:crypto";
import { z } from "zod";
import { cancelJob } from "../../core/bullmq/end/cancel-job.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import type { JobStatus } from "../../core/job/job-status.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { openStatusReader } from "../../features/job-status.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { LIBRARY, recordAct } from "../audit/audit-log.ts";
import { describeFilter, jobFilterSchema } from "../jobs/job-filter.ts";
import { type JobLists, openJobLists } from "../jobs/job-lists.ts";
import { readEnvelopeJson, submitted } from "../jobs/job-record.ts";
import { countMatches, type Matches } from "./act-matches.ts";
import {
  type ActInput,
  type ActRequest,
  actNames,
  actOnMany,
  actProgressSchema,
  actResultSchema,
  boundedFilter,
  filterText,
  internalApplication,
  requireActScope,
} from "./act-on-many.ts";
import { nowSchema, readRetried } from "./retried-jobs.ts";

const instant = z.iso.datetime();
const count = (description: string) => z.int().meta({ description });

export const actStatusSchema = z.object({
  id: z.string().meta({ description: "An act is a job itself: this is its id." }),
  act: z.enum(actNames),
  jobs: z.string().meta({ description: "Which jobs, as a sentence." }),
  filter: z.record(z.string(), z.unknown()),
  reason: z.string(),
  by: z.string(),
  rate: z.string().nullable(),
  state: z
    .enum(["waiting", "running", "done", "stopped", "failed"])
    .meta({ description: "It waits for a worker; any worker runs it." }),
  startedAt: instant,
  endedAt: instant.nullable(),
  total: z
    .int()
    .nullable()
    .meta({ description: "How many jobs matched when it began; null until they are counted." }),
  done: count("How many were retried, cancelled or deleted."),
  skipped: count("How many could not be: they had changed meanwhile."),
  remaining: z.int().nullable().meta({
    description:
      "How many are left. Null before they are counted, and where it ended while jobs moved faster than anybody could look: then some may be left.",
  }),
  error: z.string().nullable().meta({ description: "Why it failed." }),
});
export type ActStatus = Readonly<z.output<typeof actStatusSchema>>;

export const actDetailSchema = actStatusSchema.extend({
  now: nowSchema.nullable().meta({
    description:
      "What has become since of the jobs that it has retried. Null of other acts, and until it has ended.",
  }),
});
export type ActDetail = Readonly<z.output<typeof actDetailSchema>>;

/** A preview, or its next part. */
export interface ActPreviewRequest extends Pick<ActRequest, "act" | "filter" | "all"> {
  /** The `before` of an earlier part, in milliseconds since 1970. @default now */
  readonly before?: number | undefined;
  /** `nextCursor` of an earlier part. */
  readonly cursor?: string | undefined;
  /** Ends as soon as some are found: where nobody is asked, their number need not be known. @default false */
  readonly isBrief?: boolean;
}

export interface ActPreview extends Matches {
  /** Jobs that ended, or to cancel: were submitted, at or after this are left out, in milliseconds since 1970. */
  readonly before: number;
}

/** Acts on many jobs. Each is a job of Holdfast's own, which any worker runs. */
export interface ActOperator {
  /** What an act would do. Changes nothing. @throws HoldfastError `INVALID_REQUEST` */
  preview(request: ActPreviewRequest): Promise<ActPreview>;
  /**
   * Starts an act. It goes on whatever dies, until all jobs that matched when it began have had their turn.
   *
   * @param by who, for the audit log
   * @param idempotencyKey makes the call safe to repeat @default none
   * @throws HoldfastError `INVALID_REQUEST`, `IDEMPOTENCY_KEY_REUSED`, `STORE_FULL`
   */
  start(
    request: ActRequest,
    by: string,
    idempotencyKey?: string,
  ): Promise<{ id: string; duplicate: boolean }>;
  /** The latest acts, those that have not ended first. */
  list(limit: number): Promise<ActStatus[]>;
  /** @throws HoldfastError `JOB_NOT_FOUND` */
  read(id: string): Promise<ActDetail>;
  /** Stops an act within moments. What it has done stays done. @param by who, for the audit log @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED` */
  stop(id: string, by?: string): Promise<ActStatus>;
}

interface ActParts {
  readonly stores: QueueStores;
  /** Of the application. */
  readonly lists: JobLists;
  submit(...submission: Parameters<Submitter["submit"]>): ReturnType<Submitter["submit"]>;
}

export function openActOperator(parts: ActParts): ActOperator {
  const { stores } = parts;
  const store = stores.of(INTERNAL_QUEUE);
  const readStatus = openStatusReader(stores);
  const acts = openJobLists(stores, internalApplication);

  async function find(id: string): Promise<Found> {
    if (queueOfId(id) !== INTERNAL_QUEUE) throw actNotFound();
    const [status, envelope] = await Promise.all([readStatus(id), readEnvelopeJson(store, id)]);
    if (status === undefined || envelope === null) throw actNotFound();
    return { status, act: submitted(store, id, envelope).payload as ActInput };
  }

  async function stop(id: string, by: string): Promise<ActStatus> {
    const found = await find(id);
    const progress = actProgressSchema.safeParse(found.status.progress).data;
    const record = (outcome: "stopping" | "stopped") =>
      recordAct(store, { id, act: { ...actOf(found), by }, outcome, progress });
    // First: its worker writes down how far it came.
    if (found.status.state === "active") await record("stopping");
    const outcome = await cancelJob(store, id);
    if (outcome === "missing") throw actNotFound();
    if (outcome === "ended") throw new HoldfastError("JOB_ENDED", "The act has ended already");
    if (outcome === "cancelled") await record("stopped");
    return statusOf(await find(id));
  }

  async function read(id: string): Promise<ActDetail> {
    const status = statusOf(await find(id));
    const isCounted = status.act === "retry" && status.endedAt !== null;
    return { ...status, now: isCounted ? await readRetried(parts.lists, id, status.done) : null };
  }

  async function list(limit: number): Promise<ActStatus[]> {
    const { found } = await acts.ids(
      {},
      { limit, states: ["active", "waiting", "delayed", "failed", "completed"] },
    );
    const read = await Promise.all(found.map((id) => find(id).then(statusOf, () => undefined)));
    return read
      .filter((act) => act !== undefined)
      .sort((a, b) => orderOf(a) - orderOf(b) || b.startedAt.localeCompare(a.startedAt));
  }

  // Each call as a whole must be done in time, however many steps it takes.
  return {
    async preview(request) {
      requireActScope(request);
      return await inTime(preview(parts, request));
    },
    async start(request, by, idempotencyKey = randomUUID()) {
      requireActScope(request);
      return await inTime(start(parts, request, by, idempotencyKey));
    },
    list: (limit) => inTime(list(limit)),
    read: (id) => inTime(read(id)),
    stop: (id, by = LIBRARY) => inTime(stop(id, by)),
  };
}

async function preview({ lists, stores }: ActParts, request: ActPreviewRequest): Promise<ActPreview> {
  const { act, filter, before: limit, cursor, isBrief = false } = request;
  const now = Math.floor(await redisNow(stores.client));
  const before = Math.min(limit ?? now, now);
  const query = { act, filter: boundedFilter(act, filter, before), cursor, isBrief };
  return { ...(await countMatches({ lists, stores }, query)), before };
}

async function start(
  { stores, submit }: ActParts,
  { act, filter, reason, rate, before: seen }: ActRequest,
  by: string,
  idempotencyKey: string,
) {
  const now = Math.floor(await redisNow(stores.client));
  const before = Math.min(seen ?? now, now);
  const payload = {
    act,
    filter: filterText(filter),
    reason,
    by,
    before,
    ...(rate !== undefined && { rate }),
  };
  const same = JSON.stringify([act, payload.filter, reason, rate, ...(seen === undefined ? [] : [seen])]);
  const { id, duplicate } = await submit({ type: actOnMany.type, payload, idempotencyKey }, same);
  if (duplicate) return { id, duplicate };
  await recordAct(stores.of(INTERNAL_QUEUE), { id, act: { act, filter, reason, by }, outcome: "started" });
  return { id, duplicate };
}

function actNotFound(): HoldfastError {
  return new HoldfastError("JOB_NOT_FOUND", "There is no act with this id, or no longer");
}

interface Found {
  readonly status: JobStatus;
  readonly act: ActInput;
}

function orderOf({ endedAt }: ActStatus): number {
  return Number(endedAt !== null);
}

function actOf({ act }: Found) {
  return { ...act, filter: jobFilterSchema.parse(act.filter) };
}

function statusOf(found: Found): ActStatus {
  const { status, act } = found;
  const progress = actProgressSchema.safeParse(status.progress).data;
  const { total = null, done = 0, skipped = 0 } = progress ?? {};
  const left = total === null ? null : Math.max(0, total - done - skipped);
  const { rate = null, reason, by } = act;
  return {
    id: status.id,
    act: act.act,
    jobs: describeFilter(actOf(found).filter),
    filter: act.filter,
    reason,
    by,
    rate,
    state: stateOf(status),
    startedAt: status.submittedAt,
    endedAt: status.finishedAt,
    total,
    done,
    skipped,
    remaining: status.state === "completed" ? remainingAtEnd(status.result) : left,
    error: stateOf(status) === "failed" ? (status.error?.message ?? null) : null,
  };
}

function remainingAtEnd(result: unknown): number | null {
  return actResultSchema.safeParse(result).data?.isCertain === false ? null : 0;
}

function stateOf({ state, error }: JobStatus): ActStatus["state"] {
  if (state === "completed") return "done";
  if (state === "failed") return error?.code === "CANCELLED" ? "stopped" : "failed";
  return state === "active" ? "running" : "waiting";
}
