import { z } from "zod";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { JobOptions } from "../../core/bullmq/stored-job.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import type { Redaction } from "../../core/job/redaction.ts";
import { optionsIn, type StatusReader } from "../../core/status/read-status.ts";
import { Reading } from "../../core/status/readable.ts";
import { features } from "../../features/index.ts";
import { listedJobSchema } from "../../features/job-status.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { recordedOf, recordedSchema } from "../audit/audit-log.ts";
import { childJobSchema, readChildJobs } from "../children/child-jobs.ts";
import { withDoubtedRuns } from "../doubts/doubted-runs.ts";
import { answeredEffectsSchema, withAnswers } from "../effect-answers.ts";
import { readJobRecord, submitted } from "./job-record.ts";
import { redact, redactionOf } from "./redact.ts";

const instant = z.iso.datetime();

export const jobDetailSchema = listedJobSchema.extend({
  effects: answeredEffectsSchema,
  queue: z.string(),
  payload: z.unknown().meta({ description: "As it was submitted, secrets redacted." }),
  priority: z.int(),
  delayMs: z.int().meta({ description: "The delay that was asked for, in milliseconds." }),
  crashes: z.int().meta({ description: "How often its worker was lost during an attempt." }),
  lostWorkers: z
    .array(z.object({ at: instant, worker: z.string().nullable() }))
    .meta({ description: "When its workers were found lost, the latest 20, also before a retry by hand." }),
  worker: z.string().nullable().meta({ description: "The worker that claimed it last." }),
  traceId: z.string().nullable().meta({ description: "The trace that it was submitted in." }),
  traceUrl: z.string().nullable().meta({ description: "Where the trace is shown, by HOLDFAST_TRACE_URL." }),
  attempts: z
    .array(
      z.object({
        attempt: z.int(),
        worker: z.string(),
        startedAt: instant,
        endedAt: instant,
        code: z.string(),
        message: z.string(),
        stack: z.string().nullable().meta({
          description: "The stack of what was thrown, and of its causes, without the job's secrets.",
        }),
      }),
    )
    .meta({
      description:
        "The latest 50 attempts that failed, in order, also those before a retry by hand, which counts them from 1 again.",
    }),
  record: z
    .array(recordedSchema)
    .meta({ description: "The latest 20 things that somebody did to it, in order." }),
  lines: z
    .array(z.object({ name: z.string(), text: z.string() }))
    .meta({ description: "What features show of it, as `holdfast jobs show` prints it." }),
  childJobs: z
    .array(childJobSchema)
    .optional()
    .meta({ description: "Children of a flow's parent, at most 100: those that failed first." }),
  logs: z.array(z.string()).meta({ description: "The latest 100 lines that its handler logged." }),
});
export type JobDetail = Readonly<z.output<typeof jobDetailSchema>>;

/**
 * Reads everything that Redis knows of a job.
 *
 * @param traceUrl with `{traceId}`
 * @returns undefined if there is no such job, or no longer
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function readDetail(
  stores: QueueStores,
  types: ReadonlyMap<string, { readonly redact: Redaction }>,
  readStatus: StatusReader,
  id: string,
  traceUrl?: string,
): Promise<JobDetail | undefined> {
  const queue = queueOfId(id);
  if (queue === undefined) return undefined;
  const store = stores.of(queue);
  const parts = await inTime(readParts(store, types, readStatus, id));
  if (parts === undefined) return undefined;
  const { status, record, effects, idempotencyKey, payload, redaction, childJobs } = parts;
  const reading = new Reading();
  const options = optionsIn(reading, record.options);
  const traceId = traceIdIn(options);
  return {
    ...status,
    effects,
    result: redact(status.result, redaction.result),
    idempotencyKey,
    payload: redact(payload, redaction.payload),
    queue,
    priority: reading.int("priority", record.priority, 0),
    delayMs: reading.int("delayMs", options.delay, 0),
    crashes: reading.int("crashes", record.crashes, 0),
    lostWorkers: record.lostWorkers.map(({ at, worker }) => ({
      at: reading.time("lostWorkers", at, status.submittedAt),
      worker: worker || null,
    })),
    worker: record.worker ?? null,
    traceId,
    traceUrl: (traceId && traceUrl?.replaceAll("{traceId}", traceId)) ?? null,
    attempts: record.attempts.map(({ trace, ...attempt }) => ({
      ...attempt,
      stack: trace || null,
      startedAt: reading.time("attempts", attempt.startedAt, status.submittedAt),
      endedAt: reading.time("attempts", attempt.endedAt, status.submittedAt),
    })),
    record: recordedOf(store, record.acts),
    lines: features
      .flatMap(({ lines }) => lines?.(status) ?? [])
      .flatMap(([name, text]) => (text === null ? [] : [{ name, text }])),
    ...(childJobs !== undefined && { childJobs }),
    logs: [...record.logs],
  };
}

async function readParts(
  store: QueueStore,
  types: Parameters<typeof redactionOf>[0],
  readStatus: StatusReader,
  id: string,
) {
  const [status, record] = await Promise.all([readStatus(id), readJobRecord(store, id)]);
  if (status === undefined || record?.envelope === undefined) return undefined;
  const { idempotencyKey, payload, children } = submitted(store, id, record.envelope);
  const redaction = redactionOf(types, status.type);
  const doubted = await withDoubtedRuns(store, dedupKeyOf(status.type, idempotencyKey), status.effects);
  const effects = await withAnswers(store, { ...status, idempotencyKey, payload }, doubted, redaction);
  const childJobs = children && (await readChildJobs(store, id, children));
  return { status, record, effects, idempotencyKey, payload, redaction, childJobs };
}

/** The trace that a job belongs to. */
function traceIdIn({ tm }: JobOptions): string | null {
  return typeof tm === "string" ? (/\b00-([0-9a-f]{32})-/.exec(tm)?.[1] ?? null) : null;
}
