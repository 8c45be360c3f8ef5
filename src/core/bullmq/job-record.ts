import {
  type AttemptRecord,
  attemptRecords,
  type CrashRecord,
  crashRecords,
} from "./claim/failure-records.ts";
import { decryptedOrWhyNot, unlessWrongType } from "./readable.ts";
import type { QueueStore } from "./store/queue-store.ts";
import { type KeptAct, keptActs } from "./stored-acts.ts";

/** What is stored of a job beside its status. Texts may be absent, and anything. */
export interface JobRecord {
  /** JSON of the envelope, perhaps encrypted. */
  readonly envelope: string | undefined;
  readonly priority: string | undefined;
  /** JSON, for `jobOptions`. */
  readonly options: string | undefined;
  /** How often its worker was lost during an attempt. */
  readonly crashes: string | undefined;
  /** The worker that claimed it last. */
  readonly worker: string | undefined;
  /** The attempts that failed, the first first. */
  readonly attempts: readonly AttemptRecord[];
  /** What people did to it, the first first. */
  readonly acts: readonly KeptAct[];
  /** When its workers were found lost, the first first. */
  readonly lostWorkers: readonly CrashRecord[];
  /** What its handler logged. */
  readonly logs: readonly string[];
}

const LOG_LINES_MAX = 100;

/** Reads a job's record; undefined where its key holds no job. */
export async function readJobRecord(store: QueueStore, id: string): Promise<JobRecord | undefined> {
  const { client, keys } = store;
  const [fields, logs] = await Promise.all([
    client.hgetall(keys.job(id)).catch(unlessWrongType),
    client.lrange(keys.jobLogs(id), -LOG_LINES_MAX, -1).catch(unlessWrongType),
  ]);
  if (fields === null) return undefined;
  return {
    envelope: fields.data,
    priority: fields.priority,
    options: fields.opts,
    crashes: fields.stc,
    worker: fields.pb,
    attempts: attemptRecords(fields).map((record) => ({
      ...record,
      message: decryptedOrWhyNot(() => store.decryptText(id, "attempt", record.message)),
      trace: decryptedOrWhyNot(() => store.decryptText(id, "trace", record.trace)),
    })),
    acts: keptActs(fields.acts),
    lostWorkers: crashRecords(fields),
    logs: (logs ?? []).map((line) => decryptedOrWhyNot(() => store.decryptText(id, "log", line))),
  };
}

/** Reads the JSON of a job's envelope, perhaps encrypted; null where there is none. */
export async function readEnvelopeJson({ client, keys }: QueueStore, id: string): Promise<string | null> {
  return await client.hget(keys.job(id), "data").catch(unlessWrongType);
}

/** Reads a job's type and the JSON of its envelope; null where the job is gone. */
export async function readSubmission(
  { client, keys }: QueueStore,
  id: string,
): Promise<{ readonly type: string | null; readonly envelope: string | null }> {
  const fields = await client.hmget(keys.job(id), "name", "data").catch(unlessWrongType);
  const [type = null, envelope = null] = fields ?? [];
  return { type, envelope };
}

/** Reads a job's type and deduplication key; null where the job is gone, or has asked for no effect. */
export async function readIdentity(
  { client, keys }: QueueStore,
  id: string,
): Promise<{ readonly type: string | null; readonly dedupKey: string | null }> {
  const [type = null, dedupKey = null] = await client.hmget(keys.job(id), "name", "dedupKey");
  return { type, dedupKey };
}
