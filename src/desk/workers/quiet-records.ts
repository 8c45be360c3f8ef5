import type { z } from "zod";
import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { reasonAssociatedData } from "../../core/job/associated-data.ts";
import type { WorkerHeartbeat } from "../../core/watch/heartbeat.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import type { quietSchema } from "../overview/overview.ts";

/** By whom a worker was told to claim no more jobs, and why. */
export interface QuietAct {
  readonly reason: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What a worker was told, as Redis has it. */
interface QuietRecord extends Partial<QuietAct> {
  /** Of the process that is meant: a later one may have its name. */
  readonly startedAt: number;
}

/** @param act undefined: it may claim jobs again. The record says so as long as the worker could still be quiet */
export function quietRecord({ codec }: QueueStore, startedAt: number, act: QuietAct | undefined): string {
  if (act === undefined) return JSON.stringify({ startedAt });
  const { reason, by, since } = act;
  const coded = codec.encrypt(reason, reasonAssociatedData(`worker ${since}`));
  return JSON.stringify({ startedAt, since, by, reason: coded });
}

/** As people see it; null for a worker that may claim jobs. */
export function shownQuiet(
  { codec }: QueueStore,
  told: string,
  { startedAt, isQuiet }: Pick<WorkerHeartbeat, "startedAt" | "isQuiet">,
): z.output<typeof quietSchema> | null {
  if (told === "") return null;
  const record = JSON.parse(told) as QuietRecord;
  const { since, by = "", reason = "" } = record;
  if (since === undefined || record.startedAt !== startedAt) return null;
  return {
    reason: decryptedOrWhyNot(() => codec.decrypt(reason, reasonAssociatedData(`worker ${since}`))),
    by,
    since: nearestTime(since),
    hasHeard: isQuiet,
  };
}
