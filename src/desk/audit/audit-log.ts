import { z } from "zod";
import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { decryptEffectText, effectName, encryptEffectText } from "../../core/effect/ledger/ledger-texts.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { isoTime, nearestTime } from "../../platform/lib/iso-time.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ActPayload, ActProgress } from "../acts/act-on-many.ts";
import { describeFilter } from "../jobs/job-filter.ts";
import type { KeptAct } from "../jobs/job-record.ts";
import { type AuditEntry, BY } from "./audit-entry.ts";
import type { AuditFilter } from "./audit-filter.ts";
import { type AuditLine, auditLineOf, countLines, foldedLines } from "./audit-lines.ts";

export interface Act {
  readonly by: string;
  /** @default no reason */
  readonly reason?: string | undefined;
}

/** The actor, when the caller names none. */
export const LIBRARY = "createOperator()";

export const recordedSchema = z.object({
  at: z.iso.datetime(),
  as: z.string(),
  effect: z.string().nullable(),
  by: z.string().meta({ description: BY }),
  reason: z.string().meta({ description: "Empty if none was given." }),
  actId: z.string().nullable().meta({
    description: "What it was part of: an act on many jobs, or many effects that were resolved together.",
  }),
  text: z.string().meta({
    description: "The same as a sentence.",
    examples: ["cancelled with key ops-night: bad deploy 7f3a"],
  }),
});
export type Recorded = Readonly<z.output<typeof recordedSchema>>;

/** How many entries one call searches in each queue's log. */
const SEARCHED_MAX = 20_000;
const READ_AT_ONCE = 1_000;

/** Who did what, the latest first. */
export async function readAuditLog(
  queues: readonly QueueStore[],
  limit: number,
  filter: AuditSearch = {},
): Promise<AuditEntry[]> {
  const isNarrow = [filter.jobId, filter.by, filter.actId].some((wanted) => wanted !== undefined);
  const reading = isNarrow
    ? { atOnce: READ_AT_ONCE, most: SEARCHED_MAX }
    : { atOnce: limit, most: Number.POSITIVE_INFINITY };
  const isEnough = (found: readonly AuditEntry[]) => found.length >= limit;
  const logs = await inTime(
    Promise.all(queues.map((store) => searchLog(store, filter, { ...reading, isEnough }))),
  );
  return latestOf(logs).slice(0, limit);
}

/** The same with one line for what was done together; with `actId` an act's entries, each in its own line. */
export async function readAuditLines(
  queues: readonly QueueStore[],
  limit: number,
  filter: AuditSearch = {},
): Promise<AuditLine[]> {
  if (filter.actId !== undefined) return (await readAuditLog(queues, limit, filter)).map(auditLineOf);
  const reading = { atOnce: Math.max(limit, LINES_AT_ONCE), most: SEARCHED_MAX };
  const isEnough = (found: readonly AuditEntry[]) => countLines(found) >= limit;
  const logs = await inTime(
    Promise.all(queues.map((store) => searchLog(store, filter, { ...reading, isEnough }))),
  );
  const unreadBefore = Math.max(...logs.map(({ unreadBefore: at }) => at));
  return foldedLines(latestOf(logs), unreadBefore).slice(0, limit);
}

/** Some imports fit in one read, and few logs have more in a night. */
const LINES_AT_ONCE = 500;

type AuditSearch = Omit<AuditFilter, "queue">;

interface Reading {
  readonly atOnce: number;
  readonly most: number;
  readonly isEnough: (found: readonly AuditEntry[]) => boolean;
}

interface SearchedLog {
  readonly entries: readonly AuditEntry[];
  /** Milliseconds since 1970; -Infinity where all that the filter's time has was read. */
  readonly unreadBefore: number;
}

function latestOf(logs: readonly SearchedLog[]): AuditEntry[] {
  return logs.flatMap(({ entries }) => entries).sort((a, b) => b.at.localeCompare(a.at));
}

async function searchLog(
  store: QueueStore,
  { from, to, ...wanted }: AuditSearch,
  { atOnce, most, isEnough }: Reading,
): Promise<SearchedLog> {
  const first = from === undefined ? "-" : String(Math.max(0, from));
  const listed = listedIn(store, wanted);
  let last = to === undefined ? "+" : `(${Math.max(1, to)}-0`;
  const found: AuditEntry[] = [];
  for (let searched = 0; searched < most && !isEnough(found); searched += atOnce) {
    const entries = await store.client.xrevrange(store.keys.audit, last, first, "COUNT", atOnce);
    found.push(...listed(entries));
    const oldest = entries.at(-1);
    if (oldest === undefined || entries.length < atOnce)
      return { entries: found, unreadBefore: Number.NEGATIVE_INFINITY };
    last = `(${oldest[0]}`;
  }
  return { entries: found, unreadBefore: Number.parseInt(last.slice(1), 10) };
}

/** Those that match, page by page from the latest on, without those that a later one is listed instead of. */
function listedIn(store: QueueStore, filter: AuditFilter) {
  const replaced = new Set<string>();
  return (entries: readonly (readonly [id: string, fields: string[]])[]): AuditEntry[] =>
    entries.flatMap(([id, fields]) => {
      replaced.add(fieldOf(fields, "instead"));
      const [jobId, by, actId] = ["job", "by", "actId"].map((name) => fieldOf(fields, name));
      return matchesAudit(filter, { jobId, by, actId }) && !replaced.has(id)
        ? [entryOf(store, id, fields)]
        : [];
    });
}

/** Whether an entry is one of those that are wanted. */
export function matchesAudit(
  wanted: Pick<AuditFilter, "jobId" | "by" | "actId">,
  entry: Readonly<Record<"jobId" | "by" | "actId", string | null | undefined>>,
): boolean {
  const { jobId, by, actId } = wanted;
  return (
    (jobId === undefined || entry.jobId === jobId) &&
    (actId === undefined || entry.actId === actId) &&
    (by === undefined || entry.by === by || entry.by === `${by} (session)`)
  );
}

interface NewEntry {
  readonly job?: string;
  readonly actId?: string;
  readonly schedule?: string;
  readonly count?: number;
  readonly as: string;
  /** As it is stored. */
  readonly evidence: string;
  readonly by: string;
  /** The id of an entry that is not listed any more, now that this one says what became of it. */
  readonly instead?: string;
}

const appendScript = loadScript(import.meta.url, "append-audit.lua", text);
const ENTRIES_MAX = 100_000;

/** @returns the entry's id */
export async function appendToAuditLog({ client, keys }: QueueStore, entry: NewEntry): Promise<string> {
  const fields = Object.entries({ job: "", dedupKey: "", effect: "", ...entry }).flat();
  return await appendScript.run(client, [keys.audit], [ENTRIES_MAX, ...fields]);
}

/**
 * Acts, on record before it: a process that dies in between leaves an entry too many, never an act without one. If the act fails, another
 * entry says so instead, unless Redis is away: people read one line for an act.
 */
export async function onRecord<T>(store: QueueStore, entry: NewEntry, act: () => Promise<T>): Promise<T> {
  const id = await appendToAuditLog(store, entry);
  try {
    return await act();
  } catch (error) {
    const failed = { ...entry, as: `${entry.as}-failed`, instead: id };
    await appendToAuditLog(store, failed).catch(() => {});
    throw error;
  }
}

export function entryOf(store: QueueStore, id: string, fields: readonly string[]): AuditEntry {
  const field = (name: string) => fieldOf(fields, name);
  const count = field("count");
  const stored = { dedupKey: field("dedupKey"), name: field("effect") };
  return {
    at: isoTime(Number(id.slice(0, id.indexOf("-")))),
    jobId: field("job"),
    effect: effectName(store, stored),
    queue: store.queue === INTERNAL_QUEUE ? "" : queueOfPartition(store.queue),
    schedule: field("schedule"),
    as: field("as"),
    count: count === "" ? null : Number(count),
    evidence: decryptedOrWhyNot(() => decryptEffectText(store, stored, "evidence", field("evidence"))),
    by: field("by"),
    actId: field("actId") || null,
  };
}

/** At even places are names: a value can read like one. */
function fieldOf(fields: readonly string[], name: string): string {
  const at = fields.findIndex((text, index) => index % 2 === 0 && text === name);
  return at < 0 ? "" : (fields[at + 1] ?? "");
}

interface RecordedAct {
  readonly id: string;
  readonly act: Pick<ActPayload, "act" | "filter" | "reason" | "by">;
  readonly outcome: "started" | "done" | "stopping" | "stopped";
  readonly progress?: Pick<ActProgress, "total" | "done" | "skipped"> | undefined;
}

export function storedReason(store: QueueStore, reason: string | undefined): string {
  return encryptEffectText(store, { dedupKey: "", name: "" }, "evidence", reason ?? "");
}

/** What people did to a job, as it is kept with the job. */
export function recordedOf(store: QueueStore, acts: readonly KeptAct[]): Recorded[] {
  return acts.map(({ at, as, by, actId, ...stored }) => {
    const ofEffect = { dedupKey: stored.dedupKey, name: stored.effect };
    const reason = decryptedOrWhyNot(() => decryptEffectText(store, ofEffect, "evidence", stored.evidence));
    const effect = stored.effect === "" ? null : effectName(store, ofEffect);
    const what = effect === null ? as : effectText(effect, as);
    const text = `${what} ${byText(by)}${reason === "" ? "" : `: ${reason}`}`;
    return { at: nearestTime(at), as, effect, by, reason, actId, text };
  });
}

function effectText(effect: string, as: string): string {
  return as === "probe-asked" ? `probe of ${effect} asked` : `${effect} resolved as ${as}`;
}

function byText(by: string): string {
  if (by === "API") return "over the API";
  return /^[A-Za-z0-9._-]+$/.test(by) ? `with key ${by}` : `by ${by}`;
}

export async function recordAct(
  store: QueueStore,
  { id, act, outcome, progress }: RecordedAct,
): Promise<void> {
  const { filter, reason, by } = act;
  const counts =
    progress === undefined
      ? ""
      : ` (${progress.done} of ${progress.total} done, ${progress.skipped} skipped)`;
  const evidence = storedReason(store, `${describeFilter(filter)}${counts}: ${reason}`);
  const count = progress === undefined ? {} : { count: progress.done };
  await appendToAuditLog(store, { job: id, actId: id, as: `${act.act}-${outcome}`, evidence, by, ...count });
}
