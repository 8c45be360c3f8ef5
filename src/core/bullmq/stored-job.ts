import { integer, list, orNull, type Shape, text, tuple } from "../../platform/redis/reply-shape.ts";
import type { JobState } from "../job/job-state.ts";
import type { QueueStore } from "./store/queue-store.ts";

type Text = string | null;

/** A job as Redis holds it. Texts may be encrypted, and anything may be unreadable: written by hand, or by another version. */
export interface StoredJob {
  readonly id: string;
  readonly state: JobState;
  /** When a delayed job is due, in milliseconds since 1970. */
  readonly dueAt: number | null;
  readonly type: string;
  /** Null until the job asks for an effect. */
  readonly dedupKey: Text;
  /** Milliseconds since 1970, as are `startedAt` and `finishedAt`. */
  readonly submittedAt: Text;
  /** JSON, for `jobOptions`. */
  readonly options: Text;
  readonly attemptsMade: Text;
  /** JSON. */
  readonly progress: Text;
  readonly startedAt: Text;
  readonly finishedAt: Text;
  /** JSON. */
  readonly result: Text;
  /** Why an attempt failed. BullMQ keeps it when a later attempt succeeds. */
  readonly failure: Text;
  /** What features read of it, by the names in their Lua. */
  readonly ofFeatures: Readonly<Record<string, unknown>>;
}

/** The values that read-job.lua returns, in its order, and at their end what features read: name, value, name, … */
export type JobValues = readonly [
  ...[state: JobState, dueAt: number | null, type: string, dedupKey: Text, submittedAt: Text, options: Text],
  ...[attemptsMade: Text, progress: Text, startedAt: Text, finishedAt: Text, result: Text, failure: Text],
  read: readonly unknown[],
];

const field = orNull(text);
const state: Shape<JobState> = text as Shape<JobState>;

export const jobValues: Shape<JobValues> = tuple(
  ...[state, orNull(integer), text, field, field, field],
  ...[field, field, field, field, field, field],
  list,
);

export function storedJob(id: string, values: JobValues): StoredJob {
  const [state, dueAt, type, dedupKey, submittedAt, options, attemptsMade, ...more] = values;
  const [progress, startedAt, finishedAt, result, failure, read] = more;
  const ofFeatures = byName(read);
  // One literal: every read of a status makes one, and a spread would take five times as long.
  return {
    id,
    state,
    dueAt,
    type,
    dedupKey,
    submittedAt,
    options,
    attemptsMade,
    progress,
    startedAt,
    finishedAt,
    result,
    failure,
    ofFeatures,
  };
}

/** @param read name, value, name, … */
function byName(read: readonly unknown[]): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (let at = 0; at < read.length; at += 2) values[String(read[at])] = read[at + 1];
  return values;
}

/** What Holdfast reads of a job's options; anything, where they are not what it wrote. Features have stored members of their own. */
export interface JobOptions {
  readonly [name: string]: unknown;
  readonly attempts?: unknown;
  readonly delay?: unknown;
  /** What BullMQ keeps for its telemetry. */
  readonly tm?: unknown;
}

/** @throws SyntaxError for what is no JSON */
export function jobOptions(json: Text): JobOptions {
  const parsed: unknown = json === null ? null : JSON.parse(json);
  return typeof parsed === "object" && parsed !== null ? (parsed as JobOptions) : {};
}

/** BullMQ's score of a due time is milliseconds × 4096; see encodings.lua. */
const DUE_SCALE = 4096;

/** Counts delayed jobs that were due before an instant, in milliseconds since 1970. */
export async function countOverdue({ client, keys }: QueueStore, before: number): Promise<number> {
  return await client.zcount(keys.delayed, "-inf", before * DUE_SCALE);
}

/** Returns those of active or delayed jobs that are cancelled and have not ended yet. */
export async function findCancelled(
  { client, keys }: QueueStore,
  jobIds: readonly string[],
): Promise<readonly string[]> {
  if (jobIds.length === 0) return [];
  const pipeline = client.pipeline();
  for (const jobId of jobIds) pipeline.hexists(keys.job(jobId), "defa");
  const marks = (await pipeline.exec()) ?? [];
  return jobIds.filter((_, at) => marks[at]?.[1] === 1);
}
