import { z } from "zod";
import { loadScript } from "../redis/script.ts";
import type { QueueStore } from "./queue-store.ts";

/** How an attempt failed. BullMQ keeps only the latest failure. */
export interface AttemptRecord {
  /** From 1. */
  readonly attempt: number;
  readonly worker: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly code: string;
  readonly message: string;
  /** The stack of what was thrown, and of its causes; "" where there is none. */
  readonly trace: string;
}

/** Prefix of the fields of a job that hold them. */
const FIELD = "attempt:";
/** The latest say most. Those of before a retry by hand count, too. */
const KEPT_MAX = 50;

const script = loadScript(import.meta.url, "keep-attempt.lua");

/** Stores it in a field of the job, so that it goes with the job. */
export async function keepAttempt(store: QueueStore, jobId: string, record: AttemptRecord): Promise<void> {
  const encrypted = {
    ...record,
    message: store.encryptText(jobId, "attempt", record.message),
    trace: store.encryptText(jobId, "trace", record.trace),
  };
  await script.run(
    store.client,
    [store.keys.job(jobId)],
    [FIELD, JSON.stringify(encrypted), record.attempt, KEPT_MAX],
  );
}

/** Reads them from the fields of a job, the first first, their messages perhaps encrypted. Anything else is skipped. */
export function attemptRecords(job: Readonly<Record<string, string>>): AttemptRecord[] {
  return Object.entries(job)
    .filter(([field]) => field.startsWith(FIELD))
    .flatMap(([, json]) => recordIn(json))
    .sort((a, b) => a.startedAt - b.startedAt);
}

const recordSchema = z.object({
  attempt: z.int(),
  worker: z.string(),
  startedAt: z.number(),
  endedAt: z.number(),
  code: z.string(),
  message: z.string(),
  trace: z.string().default(""),
});

function recordIn(json: string): AttemptRecord[] {
  try {
    return [recordSchema.parse(JSON.parse(json))];
  } catch {
    return [];
  }
}
