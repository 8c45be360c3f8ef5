import { z } from "zod";
import { decryptedOrWhyNot, readFailure } from "../../core/bullmq/readable.ts";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import {
  declaredName,
  decryptEffectText,
  effectName,
  isUnreadableName,
  readEvidence,
} from "../../core/effect/ledger/ledger-texts.ts";
import { type Resolved, resolveDoubt } from "../../core/effect/ledger/resolve-doubt.ts";
import type { Events } from "../../core/events.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { effectKeyOf } from "../../core/job/dedup-key.ts";
import { jobNotFound, parseCallId } from "../../core/job/job-id.ts";
import { evidenceDescription } from "../../core/job/job-status.ts";
import type { Resolution, ResolvedJob } from "../../core/job/resolution.ts";
import { readKeys, type StoredKey } from "../../core/status/read-keys.ts";
import { outgoingSchema } from "../../evidence/outgoing/outgoing.ts";
import { verdictOf } from "../../evidence/outgoing/outgoing-text.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { callTexts } from "../guarded/guarded-effects.ts";
import { readIdentity, readKinds, type StoredKind } from "../jobs/job-record.ts";
import { type DoubtedRun, doubtedRunShape, readDoubtedRuns } from "./doubted-runs.ts";

const hintSchema = z.object({
  classify: z
    .string()
    .meta({ description: "The classifier of `holdfast/evidence` that proves it.", examples: ["http"] }),
  why: z.string().meta({ description: "What it reads.", examples: ["refused, nothing seen sent"] }),
});

const askedSchema = z.object({
  at: z.iso.datetime(),
  by: z.string(),
  found: z.string().nullable().meta({
    description: "Why the job has failed since, such as that the probe does not know; null while it has not.",
  }),
});

/** An effect in doubt: nobody can know whether it happened. */
export const doubtSchema = z.object({
  jobId: z.string().meta({ description: "Of an effect that no job runs: the id of its call." }),
  type: z
    .string()
    .nullable()
    .meta({ description: "Null where the retention has removed the job, and where no job runs the effect." }),
  idempotencyKey: z.string().nullable().meta({ description: "Of the job, or of the call." }),
  effect: z.string().meta({ description: "With /index if the effect has one." }),
  effectKey: z.string().nullable().meta({
    description:
      "The effect's key, which it may have passed downstream: look for it there. Null if the effect's name cannot be decrypted.",
  }),
  queue: z.string(),
  since: z.iso.datetime(),
  reason: z.string().meta({ description: "Why nobody can know." }),
  start: z.int().meta({ description: "The job's start that ran it." }),
  worker: z.string(),
  report: z
    .enum(["done", "not-done"])
    .nullable()
    .meta({ description: "What its worker reported afterwards: too late to count, but good evidence." }),
  evidence: z.array(outgoingSchema).meta({ description: evidenceDescription }),
  verdict: z.string().meta({
    description: "What became of the last thing that it was seen to send.",
    examples: ["answered 500"],
  }),
  by: z.string().nullish().meta({ description: "Who asked. Only where no job runs the effect." }),
  about: z.string().nullish().meta({ description: "What it is about. Only where no job runs the effect." }),
  hint: hintSchema.nullable().meta({
    description:
      "With this line in its declaration, the effect would have been not done. Null where none would help.",
  }),
  mayAskProbe: z.boolean().meta({
    description: "Whether its effect is declared with a probe, and its job is still there to run it.",
  }),
  asked: askedSchema.nullable().meta({ description: "Null unless somebody has asked the probe." }),
  ...doubtedRunShape,
});
export type Doubt = Readonly<z.output<typeof doubtSchema>> & { readonly dedupKey: string };

interface Entry {
  readonly job: string;
  readonly at: number;
  readonly reason?: string;
  readonly delivery: number;
  readonly worker: string;
  readonly report?: "done" | "not-done";
  readonly seen?: string;
  readonly hint?: unknown;
  readonly askedAt?: number;
  readonly askedBy?: string;
}

/** The contracts by type: they say which effects have a probe. */
export type Contracts = ReadonlyMap<string, Pick<JobContract, "effects">>;

/**
 * Lists the doubts of one queue, the oldest first.
 *
 * @param offset how many to skip
 * @param jobs without them, no effect is known to have a probe
 */
export async function listDoubts(
  store: QueueStore,
  offset: number,
  limit: number,
  jobs: Contracts = new Map(),
): Promise<Doubt[]> {
  const { client, keys } = store;
  const members = await client.zrange(keys.doubts, String(offset), String(offset + limit - 1));
  const [runs, found] = await Promise.all([
    readDoubtedRuns(store, members),
    Promise.all(members.map((member) => readEntry(store, member))),
  ]);
  const entries = found.flatMap((entry, at) => (entry && runs[at] ? { ...entry, ...runs[at] } : []));
  const callers = await readCallers(store, entries);
  return await Promise.all(entries.map((entry, at) => toDoubt(store, entry, callers[at] ?? textsOf(), jobs)));
}

interface FoundEntry {
  readonly dedupKey: string;
  /** As it is stored. */
  readonly name: string;
  readonly entry: Entry;
  readonly keyIds: string | null | undefined;
  /** Who asked for it, where no job runs it. */
  readonly call: string | null | undefined;
}

/** Undefined where it was resolved after the list was read. */
async function readEntry({ client, keys }: QueueStore, member: string): Promise<FoundEntry | undefined> {
  const cut = member.indexOf("/");
  const dedupKey = member.slice(0, cut);
  const name = member.slice(cut + 1);
  const [json, keyIds, call] = await client.hmget(keys.ledger(dedupKey), `e:${name}`, "keys", "call");
  return json == null ? undefined : { dedupKey, name, entry: entryIn(json), keyIds, call };
}

type Caller = Pick<Doubt, "type" | "idempotencyKey" | "by" | "about">;

/** Of all at once: one reply for each would take most of the time of a list. */
async function readCallers(store: QueueStore, entries: readonly FoundEntry[]): Promise<Caller[]> {
  const ids = [...new Set(entries.flatMap(({ entry, call }) => (call ? [] : entry.job)))];
  const [kinds, stored] = await Promise.all([readKinds(store, ids), readKeys(store, ids)]);
  const jobs = new Map(ids.map((id, at) => [id, textsOf(kinds[at], stored[at])]));
  return entries.map((found) =>
    found.call ? callTexts(store, found, found.call) : (jobs.get(found.entry.job) ?? textsOf()),
  );
}

function textsOf(kind?: StoredKind, key?: StoredKey): Caller {
  return { type: kind?.type || null, idempotencyKey: key?.shown ?? null };
}

async function toDoubt(
  store: QueueStore,
  { dedupKey, name, entry, keyIds, mayStillRun, workerSeenAt }: FoundEntry & DoubtedRun,
  caller: Caller,
  jobs: Contracts,
): Promise<Doubt> {
  const effect = effectName(store, { dedupKey, name });
  const evidence = readEvidence(store, { dedupKey, name }, entry.seen);
  const declared = jobs.get(caller.type ?? "")?.effects[declaredName(effect)];
  return {
    jobId: entry.job,
    ...caller,
    effect,
    effectKey: isUnreadableName(store, { dedupKey, name }, keyIds) ? null : effectKeyOf(dedupKey, effect),
    queue: queueOfPartition(store.queue),
    dedupKey,
    since: nearestTime(entry.at),
    reason: decryptedOrWhyNot(() =>
      decryptEffectText(store, { dedupKey, name }, "reason", entry.reason ?? ""),
    ),
    start: entry.delivery,
    worker: entry.worker,
    report: entry.report ?? null,
    evidence,
    verdict: verdictOf(evidence),
    mayAskProbe: declared?.inDoubt === "probe",
    asked: entry.askedAt === undefined ? null : await readAsked(store, entry, entry.askedAt),
    hint: hintSchema.safeParse(entry.hint).data ?? null,
    mayStillRun,
    workerSeenAt,
  };
}

/** What has come of asking the probe. */
async function readAsked(
  store: QueueStore,
  { job, askedBy = "" }: Entry,
  at: number,
): Promise<Doubt["asked"]> {
  const [kind] = await readKinds(store, [job]);
  const hasFailed = kind !== undefined && kind.reason !== "" && kind.finishedAt >= at;
  return {
    at: nearestTime(at),
    by: askedBy,
    found: hasFailed ? readFailure(store, job, kind.reason).message : null,
  };
}

/** Reads an entry. An unreadable one is listed, too: the doubt exists. */
function entryIn(json: string): Entry {
  const unknown = { job: "", at: 0, reason: "[unreadable]", delivery: 0, worker: "" };
  try {
    const stored: Partial<Entry> = JSON.parse(json);
    return { ...unknown, ...stored };
  } catch {
    return unknown;
  }
}

export interface DoubtCount {
  readonly count: number;
  /** Since when the oldest is in doubt, in milliseconds since 1970; undefined if there is none. */
  readonly oldestAt: number | undefined;
}

export async function countDoubts(partitions: readonly QueueStore[]): Promise<DoubtCount> {
  const counts = await Promise.all(partitions.map(countInPartition));
  const ages = counts.flatMap(({ oldestAt }) => oldestAt ?? []);
  return {
    count: counts.reduce((sum, { count }) => sum + count, 0),
    oldestAt: ages.length === 0 ? undefined : Math.min(...ages),
  };
}

async function countInPartition({ client, keys }: QueueStore): Promise<DoubtCount> {
  const key = keys.doubts;
  const [count, [oldest]] = await Promise.all([client.zcard(key), client.zrange(key, "0", "0")]);
  const score = oldest === undefined ? null : await client.zscore(key, oldest);
  return { count, oldestAt: score === null ? undefined : Number(score) };
}

const DOUBTS_SEARCHED_MAX = 100_000;

/** @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`, `CHANGED_MEANWHILE`, `RUN_MAY_BE_PENDING`, `RUN_SAID_DONE` */
export type ResolveDoubtOfJob = (
  store: QueueStore,
  jobId: string,
  effect: string,
  resolution: Resolution,
) => Promise<ResolvedJob>;

export function openDoubtResolver(retentionMs: number, events: Events): ResolveDoubtOfJob {
  return async (store, jobId, effect, resolution) => {
    const call = parseCallId(jobId);
    const identity = call ? { type: null, ...call } : await readIdentity(store, jobId);
    const dedupKey = identity.dedupKey ?? (await findDedupKey(store, jobId, effect));
    if (dedupKey === undefined) throw identity.type === null ? jobNotFound() : notInDoubt(effect, null);
    const resolved = await resolveDoubt(store, retentionMs, { dedupKey, effect }, resolution);
    if (resolved.kind !== "resolved") throw refusalOf(effect, resolved);
    events.emit("effect.resolved", identity.type ?? "", declaredName(effect));
    return resolved.job;
  };
}

function refusalOf(effect: string, why: Exclude<Resolved, { kind: "resolved" }>): HoldfastError {
  switch (why.kind) {
    case "not-in-doubt":
      return notInDoubt(effect, why.state);
    case "changed":
      return anotherDoubt(effect);
    case "over":
      return overSince(effect);
    case "said-done":
      return saidDone(effect);
    case "may-be-pending":
      return mayBePending(effect, why);
  }
}

/** Once a job is gone, only the list of doubts has its deduplication key. */
async function findDedupKey(store: QueueStore, jobId: string, effect: string): Promise<string | undefined> {
  const doubts = await listDoubts(store, 0, DOUBTS_SEARCHED_MAX);
  return doubts.find((doubt) => doubt.jobId === jobId && doubt.effect === effect)?.dedupKey;
}

function mayBePending(
  effect: string,
  { worker, seenMs }: Extract<Resolved, { kind: "may-be-pending" }>,
): HoldfastError {
  const seen = seenMs === null ? "is not known here" : `was seen ${durationText(seenMs)} ago`;
  return new HoldfastError(
    "RUN_MAY_BE_PENDING",
    `The first run of effect ${JSON.stringify(effect)} may still be under way: its worker ${worker} ${seen}. If it acts yet, the effect happens twice`,
  );
}

function anotherDoubt(effect: string): HoldfastError {
  return new HoldfastError(
    "CHANGED_MEANWHILE",
    `Effect ${JSON.stringify(effect)} was resolved, has run again, and is in doubt anew since you looked. Nothing was done`,
  );
}

function overSince(effect: string): HoldfastError {
  return new HoldfastError(
    "CHANGED_MEANWHILE",
    `The run of effect ${JSON.stringify(effect)} has ended since you looked, and may have acted before. Look again. Nothing was done`,
  );
}

function saidDone(effect: string): HoldfastError {
  return new HoldfastError(
    "RUN_SAID_DONE",
    `The run of effect ${JSON.stringify(effect)} has reported, too late, that it was done. If that is so, the effect happens twice`,
  );
}

function notInDoubt(effect: string, state: string | null): HoldfastError {
  const found = state === null ? "it is not in the ledger" : `it is ${state}`;
  return new HoldfastError(
    "EFFECT_NOT_IN_DOUBT",
    `Effect ${JSON.stringify(effect)} of this job is not in doubt: ${found}`,
  );
}
