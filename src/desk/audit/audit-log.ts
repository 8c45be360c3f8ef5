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
import type { AuditFilter } from "./audit-filter.ts";

export interface Act {
  readonly by: string;
  /** @default no reason */
  readonly reason?: string | undefined;
}

/** The actor, when the caller names none. */
export const LIBRARY = "createOperator()";

const BY =
  "`ops-night`: an API key; `ops-night (session)`: a session of the console; `ann@build-1`: a system user and host, of the command line or of an API that started; `API`: no keys are configured.";

/** What somebody did to a job, a queue, a schedule or many jobs. What is about no single job names none, or the act. */
export const auditEntrySchema = z.object({
  at: z.iso.datetime(),
  jobId: z.string(),
  effect: z.string(),
  queue: z.string().meta({ description: "Empty for what is about a schedule, many jobs or all queues." }),
  schedule: z.string().meta({ description: "Empty for what is about none." }),
  as: z.string().meta({
    description:
      "What was done. Jobs: retried, cancelled, cancelling, deleted, submit-again-started, submitted-again; effects: done, not-done, probe-asked; queues: paused, resumed, limited; schedules: schedule-paused, schedule-resumed, schedule-tick-skipped, schedule-tick-unskipped, schedule-run-started, schedule-run, schedule-put, schedule-deleted; of queues, schedules and the outbox with -failed where that failed after it was recorded; API keys: keys-changed; acts on many jobs: retry-started, retry-done, retry-stopping, retry-stopped and the like; outbox-released, outbox-discarded; loss-accepted; notices-tested; by Holdfast itself: notice-delivered, notice-failed, notice-sent-directly",
  }),
  count: z.int().nullable().meta({ description: "How many jobs; null for what is not about many." }),
  evidence: z.string().meta({ description: "Why, or how they know; empty if no reason was given." }),
  by: z.string().meta({ description: BY }),
  actId: z.string().nullable().meta({
    description:
      "What it was part of: an act on many jobs, or effects that were resolved, or whose probes were asked, together. Null for what was done alone.",
  }),
});
export type AuditEntry = Readonly<z.output<typeof auditEntrySchema>>;

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
  filter: Pick<AuditFilter, "jobId" | "by" | "from" | "to"> = {},
): Promise<AuditEntry[]> {
  const logs = await inTime(Promise.all(queues.map((store) => searchLog(store, limit, filter))));
  return logs
    .flat()
    .sort((a, b) => b.at.localeCompare(a.at))
    .slice(0, limit);
}

async function searchLog(
  store: QueueStore,
  limit: number,
  { jobId, by, from, to }: AuditFilter,
): Promise<AuditEntry[]> {
  const isNarrow = jobId !== undefined || by !== undefined;
  const step = isNarrow ? READ_AT_ONCE : limit;
  const most = isNarrow ? SEARCHED_MAX : Number.POSITIVE_INFINITY;
  const first = from === undefined ? "-" : String(Math.max(0, from));
  const listed = listedIn(store, { jobId, by });
  let last = to === undefined ? "+" : `(${Math.max(1, to)}-0`;
  const found: AuditEntry[] = [];
  for (let searched = 0; searched < most && found.length < limit; searched += step) {
    const entries = await store.client.xrevrange(store.keys.audit, last, first, "COUNT", step);
    found.push(...listed(entries));
    const oldest = entries.at(-1);
    if (oldest === undefined || entries.length < step) break;
    last = `(${oldest[0]}`;
  }
  return found;
}

/** Those that match, page by page from the latest on, without those that a later one is listed instead of. */
function listedIn(store: QueueStore, filter: AuditFilter) {
  const replaced = new Set<string>();
  return (entries: readonly (readonly [id: string, fields: string[]])[]): AuditEntry[] =>
    entries.flatMap(([id, fields]) => {
      replaced.add(fieldOf(fields, "instead"));
      const isWanted = isOf(filter, fieldOf(fields, "job"), fieldOf(fields, "by"));
      return isWanted && !replaced.has(id) ? [entryOf(store, id, fields)] : [];
    });
}

/** @param job the entry's @param actor the entry's */
export function isOf({ jobId, by }: AuditFilter, job: string, actor: string): boolean {
  return (
    (jobId === undefined || job === jobId) &&
    (by === undefined || actor === by || actor === `${by} (session)`)
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
