import { z } from "zod";
import { loadScript } from "../redis/script.ts";
import type { QueueStore } from "./queue-store.ts";

/** That a job's worker was found lost. BullMQ only counts that. */
export interface CrashRecord {
  /** When it was found, in milliseconds since 1970. */
  readonly at: number;
  /** "" where it is not known. */
  readonly worker: string;
}

/** Prefix of the fields of a job that hold them. */
const FIELD = "crash:";
const KEPT_MAX = 20;

const script = loadScript(import.meta.url, "keep-crash.lua");

/** @param at milliseconds since 1970 */
export async function keepCrash({ client, keys }: QueueStore, jobId: string, at: number): Promise<void> {
  await script.run(client, [keys.job(jobId), `${keys.job(jobId)}:lock`], [FIELD, KEPT_MAX, at]);
}

const recordSchema = z.object({ at: z.number(), worker: z.string() });

/** Reads them from the fields of a job, the first first. Anything else is skipped. */
export function crashRecords(job: Readonly<Record<string, string>>): CrashRecord[] {
  return Object.entries(job)
    .filter(([field]) => field.startsWith(FIELD))
    .flatMap(([, json]) => recordIn(json))
    .sort((a, b) => a.at - b.at);
}

function recordIn(json: string): CrashRecord[] {
  try {
    return [recordSchema.parse(JSON.parse(json))];
  } catch {
    return [];
  }
}
