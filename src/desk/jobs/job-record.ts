import { z } from "zod";
import { type DeclaredChild, openEnvelope } from "../../core/bullmq/add/envelope.ts";
import { decryptedOrWhyNot, readFailure, unlessWrongType } from "../../core/bullmq/readable.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { type Failure, parseFailure } from "../../core/job/failure.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { UNREADABLE } from "../../core/status/readable.ts";
import {
  type AttemptRecord,
  attemptRecords,
  type CrashRecord,
  crashRecords,
} from "../../core/watch/failure-records.ts";
import { listOf, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

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

const keptSchema = z.object({
  at: z.number(),
  as: z.string(),
  by: z.string(),
  evidence: z.string().default(""),
  effect: z.string().default(""),
  dedupKey: z.string().default(""),
  actId: z.string().nullable().default(null),
});
export type KeptAct = Readonly<z.output<typeof keptSchema>>;

/** Reads them from a job's field. Anything else is skipped. */
function keptActs(json = "[]"): KeptAct[] {
  try {
    const found: unknown = JSON.parse(json);
    return Array.isArray(found) ? found.flatMap((act) => keptSchema.safeParse(act).data ?? []) : [];
  } catch {
    return [];
  }
}

/** Reads the JSON of a job's envelope, perhaps encrypted; null where there is none. */
export async function readEnvelopeJson({ client, keys }: QueueStore, id: string): Promise<string | null> {
  return await client.hget(keys.job(id), "data").catch(unlessWrongType);
}

/** Null where the job is gone. */
export async function readType({ client, keys }: QueueStore, id: string): Promise<string | null> {
  return await client.hget(keys.job(id), "name").catch(unlessWrongType);
}

/** Reads a job's type and deduplication key; null where the job is gone, or has asked for no effect. */
export async function readIdentity(
  { client, keys }: QueueStore,
  id: string,
): Promise<{ readonly type: string | null; readonly dedupKey: string | null }> {
  const [type = null, dedupKey = null] = await client.hmget(keys.job(id), "name", "dedupKey");
  return { type, dedupKey };
}

/** A job, in so far as acts on many care; empty texts where it is gone. */
export interface StoredKind {
  readonly id: string;
  readonly type: string;
  /** As Redis holds it; also where an earlier attempt failed. */
  readonly reason: string;
  /** In milliseconds since 1970; 0 where it has not ended. */
  readonly finishedAt: number;
  readonly isCompleted: boolean;
  /** Or is about to end so. */
  readonly isCancelled: boolean;
}

/** Reads why jobs failed last; undefined for those that have not, or are gone. */
export async function readFailures(
  stores: QueueStores,
  ids: readonly string[],
): Promise<(Failure | undefined)[]> {
  const read = async (id: string) => {
    const store = stores.of(queueOfId(id) ?? "");
    const reason = await store.client.hget(store.keys.job(id), "failedReason").catch(unlessWrongType);
    return reason === null ? undefined : readFailure(store, id, reason);
  };
  return await Promise.all(ids.map(read));
}

/** Occupies Redis for about a millisecond. */
const KINDS_AT_ONCE = 250;

const kindsScript = loadScript(import.meta.url, "kinds.lua", listOf(text));

export async function readKinds(store: QueueStore, ids: readonly string[]): Promise<StoredKind[]> {
  const slices: Promise<StoredKind[]>[] = [];
  for (let at = 0; at < ids.length; at += KINDS_AT_ONCE)
    slices.push(readSlice(store, ids.slice(at, at + KINDS_AT_ONCE)));
  return (await Promise.all(slices)).flat();
}

async function readSlice({ client, keys }: QueueStore, ids: readonly string[]): Promise<StoredKind[]> {
  const found = await kindsScript.run(client, [keys.failed], [keys.start, ...ids]);
  return ids.map((id, index) => {
    const [type = "", reason = "", endedAt = "", mark = "", completed] = found.slice(
      5 * index,
      5 * index + 5,
    );
    return {
      id,
      type,
      reason,
      finishedAt: Number(endedAt),
      isCompleted: completed === "1",
      isCancelled: isCancellation(mark) || (endedAt !== "" && isCancellation(reason)),
    };
  });
}

function isCancellation(reason: string): boolean {
  return parseFailure(reason).code === "CANCELLED";
}

/** What a client submitted, from the JSON of the job's envelope; or why that cannot be read. */
export function submitted(
  store: QueueStore,
  jobId: string,
  envelope: string,
): {
  readonly idempotencyKey: string;
  readonly payload: unknown;
  readonly children?: readonly DeclaredChild[] | undefined;
} {
  try {
    const opened = decryptedOrWhyNot(() => openEnvelope(store, jobId, JSON.parse(envelope)));
    if (typeof opened === "string") return { idempotencyKey: opened, payload: opened };
    const { key, payload, children } = opened;
    return { idempotencyKey: key, payload, children: Array.isArray(children) ? children : undefined };
  } catch {
    return { idempotencyKey: UNREADABLE, payload: UNREADABLE };
  }
}
