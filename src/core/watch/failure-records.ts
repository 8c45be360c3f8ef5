// What BullMQ forgets: it keeps only the latest failure, and only counts crashes. Records are fields of the job, and go with it.
import { z } from "zod";
import { okReply } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";

const attemptSchema = z.object({
  /** From 1. */
  attempt: z.int(),
  worker: z.string(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  endedAt: z.number(),
  code: z.string(),
  message: z.string(),
  /** The stack of what was thrown, and of its causes; "" where there is none. */
  trace: z.string().default(""),
});
/** How an attempt failed. */
export type AttemptRecord = Readonly<z.output<typeof attemptSchema>>;

const crashSchema = z.object({
  /** When it was found, in milliseconds since 1970. */
  at: z.number(),
  /** "" where it is not known. */
  worker: z.string(),
});
/** That a job's worker was found lost. */
export type CrashRecord = Readonly<z.output<typeof crashSchema>>;

/** Prefixes of the fields that hold them. */
const ATTEMPT = "attempt:";
const CRASH = "crash:";
/** The latest say most. Those of before a retry by hand count, too. */
const ATTEMPTS_MAX = 50;
const CRASHES_MAX = 20;

const attemptScript = loadScript(import.meta.url, "keep-attempt.lua", okReply);
const crashScript = loadScript(import.meta.url, "keep-crash.lua", okReply);

/** Keeps how attempts failed and workers were lost, for people who look into a job later. An error here changes nothing. */
export function keepFailures({ store, workerName, log }: ConsumedPartition): PartitionPart {
  const onError = (error: unknown) =>
    log.debug({ queue: store.queue, reason: String(error) }, "a failure is not recorded");
  return {
    onFailure: (job, { failure: { code, message }, trace }) =>
      keepAttempt(store, job.id, {
        attempt: job.attemptsMade + 1,
        worker: workerName,
        startedAt: job.startedAt,
        endedAt: Date.now(),
        code,
        message,
        trace,
      }).catch(onError),
    onStalled: (jobId) => void keepCrash(store, jobId, Date.now()).catch(onError),
  };
}

async function keepAttempt(store: QueueStore, jobId: string, record: AttemptRecord): Promise<void> {
  const encrypted = {
    ...record,
    message: store.encryptText(jobId, "attempt", record.message),
    trace: store.encryptText(jobId, "trace", record.trace),
  };
  await attemptScript.run(
    store.client,
    [store.keys.job(jobId)],
    [ATTEMPT, JSON.stringify(encrypted), record.attempt, ATTEMPTS_MAX],
  );
}

/** @param at milliseconds since 1970 */
async function keepCrash({ client, keys }: QueueStore, jobId: string, at: number): Promise<void> {
  await crashScript.run(client, [keys.job(jobId)], [CRASH, CRASHES_MAX, at]);
}

/** Reads the failed attempts from a job's fields, the first first, their texts perhaps encrypted. */
export function attemptRecords(job: Readonly<Record<string, string>>): AttemptRecord[] {
  return recordsIn(job, ATTEMPT, attemptSchema).sort((a, b) => a.startedAt - b.startedAt);
}

/** Reads the crashes from a job's fields, the first first. */
export function crashRecords(job: Readonly<Record<string, string>>): CrashRecord[] {
  return recordsIn(job, CRASH, crashSchema).sort((a, b) => a.at - b.at);
}

/** Anything that is no record is skipped. */
function recordsIn<T>(job: Readonly<Record<string, string>>, prefix: string, schema: z.ZodType<T>): T[] {
  return Object.entries(job)
    .filter(([field]) => field.startsWith(prefix))
    .flatMap(([, json]) => {
      try {
        return [schema.parse(JSON.parse(json))];
      } catch {
        return [];
      }
    });
}
