import type { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../../platform/lib/batch-by-turn.ts";
import { isoTime, nearestTime } from "../../platform/lib/iso-time.ts";
import { throwRedisFault } from "../../platform/redis/redis-errors.ts";
import { integer, listOf, orNull, type Shape, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { namedBy } from "../bullmq/curb/curb-name.ts";
import { decryptedOrWhyNot, readFailure } from "../bullmq/readable.ts";
import type { QueueStore, QueueStores } from "../bullmq/store/queue-store.ts";
import {
  type JobOptions,
  type JobValues,
  jobOptions,
  jobValues,
  type StoredJob,
  storedJob,
} from "../bullmq/stored-job.ts";
import { effectName, readEvidence } from "../effect/ledger/ledger-texts.ts";
import { failureOf } from "../job/failure.ts";
import { queueOfId, submittedAt } from "../job/job-id.ts";
import { effectStates, type FeatureStatus, hasEnded, type JobStatus } from "../job/job-status.ts";
import { FORGOTTEN_AFTER_MS, SILENT_AFTER_MS } from "../job/worker-heartbeat.ts";
import { Reading, UNREADABLE } from "./readable.ts";

const counts: Shape<EffectCounts> = tuple(integer, integer, integer);
/** A job, with its effects: name, entry, name, entry, …, and its runs that go on, as still-runs.lua has them. */
const job = tuple(jobValues, listOf(text), counts, listOf(text));
const script = loadScript(import.meta.url, "read-jobs.lua", listOf(orNull(job)));

const TOGETHER_MAX = 32;
/** Some milliseconds of Redis's time. */
const EFFECTS_TOGETHER_MAX = 2_500;

/** What a feature shows of a job. */
export interface StatusPart {
  /** The name under which its Lua reads of a job. */
  readonly name: string;
  /** Its members of a status, as answers declare them. */
  readonly members: z.core.$ZodShape;
  /**
   * @param read what its Lua read; undefined where it read nothing
   * @param options of the job; anything, where they are not what Holdfast wrote
   */
  of(read: unknown, options: JobOptions): Partial<FeatureStatus>;
}

/**
 * Reads the status of a job.
 *
 * @param id any text; one that is no job id has no job
 * @returns undefined when there is no such job any more
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export type StatusReader = (id: string) => Promise<JobStatus | undefined>;

/**
 * Reads statuses, each in one atomic step, at the same cost at any depth. Reads of one turn of the event loop travel in one command
 * per queue.
 *
 * @param parts what features show
 * @param effectsMax how many effects of each job to read at most @default all
 */
export function openStatusReader(
  stores: QueueStores,
  parts: readonly StatusPart[],
  effectsMax = Number.MAX_SAFE_INTEGER,
): StatusReader {
  async function readTogether(jobs: readonly WantedJob[]): Promise<(JobStatus | undefined)[]> {
    const queues = [...new Set(jobs.map(({ queue }) => queue))];
    const read = queues.map((queue) => {
      const ids = jobs.filter((job) => job.queue === queue).map(({ id }) => id);
      return readFromQueue(stores.of(queue), ids, parts, effectsMax);
    });
    const known = new Map((await Promise.all(read)).flatMap((statuses) => [...statuses]));
    return jobs.map(({ id }) => known.get(id));
  }

  const read = batchByTurn({ run: readTogether, itemsMax: TOGETHER_MAX });
  return async (id) => {
    const queue = queueOfId(id);
    return queue === undefined ? undefined : await read({ id, queue });
  };
}

interface WantedJob {
  readonly id: string;
  readonly queue: string;
}

type ReadJob = readonly [
  values: JobValues,
  effects: readonly string[],
  counts: EffectCounts,
  stillRuns: readonly string[],
];
type EffectCounts = readonly [reserved: number, done: number, inDoubt: number];

async function readFromQueue(
  store: QueueStore,
  ids: readonly string[],
  parts: readonly StatusPart[],
  effectsMax: number,
): Promise<ReadonlyMap<string, JobStatus>> {
  const { start, ledgerStart, completed } = store.keys;
  const limits = [effectsMax, EFFECTS_TOGETHER_MAX, SILENT_AFTER_MS, FORGOTTEN_AFTER_MS];
  const statuses = new Map<string, JobStatus>();
  for (let read = 0; read < ids.length; ) {
    const some = ids.slice(read);
    const jobs = await script
      .run(store.client, [completed], [start, ledgerStart, ...limits, ...some])
      .catch(throwRedisFault);
    for (const [index, found] of jobs.entries()) {
      const id = some[index] ?? "";
      if (found !== null) statuses.set(id, statusOf(parts, store, storedJob(id, found[0]), found));
    }
    read += jobs.length;
  }
  return statuses;
}

function statusOf(
  parts: readonly StatusPart[],
  store: QueueStore,
  job: StoredJob,
  [, effects, counts, runs]: ReadJob,
): JobStatus {
  const { id, state } = job;
  const reading = new Reading();
  const submitted = reading.time("submittedAt", job.submittedAt, isoTime(submittedAt(id)));
  const options = optionsIn(reading, job.options);
  const own = {
    id,
    type: job.type,
    state,
    attemptsMade: reading.int("attemptsMade", job.attemptsMade, 0),
    maxAttempts: reading.int("maxAttempts", options.attempts, 1),
    progress: reading.value(
      "progress",
      () => decryptedOrWhyNot(() => store.decryptValue(id, "progress", parseJson(job.progress))),
      UNREADABLE,
    ),
    submittedAt: submitted,
    startedAt: reading.time("startedAt", job.startedAt, null),
    finishedAt: hasEnded(job) ? reading.time("finishedAt", job.finishedAt, null) : null,
    nextAttemptAt: job.dueAt === null ? null : reading.time("nextAttemptAt", job.dueAt, null),
    ...outcomeOf(reading, store, job),
    ...heldOf(job.ofFeatures.held),
    ...stillRunsOf(runs),
    ...curbedOf(job.ofFeatures.curbedBy),
    effects: toEffects(reading, store, job.dedupKey ?? "", effects, submitted),
    ...countsOf(effects, counts),
  };
  const status = Object.assign(
    own,
    ...parts.map((part) => part.of(job.ofFeatures[part.name], options)),
  ) as JobStatus;
  return reading.unreadable.length === 0 ? status : withNote(status, reading.unreadable);
}

/** What the Lua of a feature returns of a job that it holds. */
type Held = readonly [lane: string, behind: number, limit: number, windowMs?: number, until?: number];

/** What a held job waits for, and for its turn. */
function heldOf(read: unknown): Pick<JobStatus, "held"> {
  if (read === undefined) return {};
  const [lane, behind, limit, windowMs, until] = read as Held;
  const rate = {
    ...(windowMs !== undefined && { windowMs }),
    ...(until !== undefined && { until: isoTime(until) }),
  };
  return { held: { lane, behind, limit, ...rate } };
}

/** Each as four texts. */
function stillRunsOf(texts: readonly string[]): Pick<JobStatus, "stillRuns"> {
  if (texts.length === 0) return {};
  const stillRuns: NonNullable<JobStatus["stillRuns"]> = [];
  for (let at = 0; at < texts.length; at += 4) {
    const [worker = "", since, seenAt, isSilent] = texts.slice(at, at + 4);
    stillRuns.push({
      worker,
      toldAt: nearestTime(Number(since)),
      workerSeenAt: nearestTime(Number(seenAt)),
      isCertain: isSilent === "0",
    });
  }
  return { stillRuns };
}

/** By which curb an operator holds a job back. */
function curbedOf(read: unknown): Pick<JobStatus, "curbedBy"> {
  return typeof read === "string" ? { curbedBy: namedBy(read) } : {};
}

/** Only where some are left out. */
function countsOf(
  effects: readonly string[],
  [reserved, done, inDoubt]: EffectCounts,
): Pick<JobStatus, "effectCounts"> {
  const isWhole = effects.length === 2 * (reserved + done + inDoubt);
  return isWhole ? {} : { effectCounts: { reserved, done, "in-doubt": inDoubt } };
}

function outcomeOf(
  reading: Reading,
  store: QueueStore,
  { id, state, result, failure }: StoredJob,
): Pick<JobStatus, "result" | "error"> {
  if (state === "completed")
    return resultOf(reading, () => store.decryptValue(id, "result", parseJson(result)));
  return { result: null, error: failure === null ? null : readFailure(store, id, failure) };
}

/** Says in the job's error what could not be read: there people look for what is wrong. */
function withNote(status: JobStatus, unreadable: readonly string[]): JobStatus {
  const note = `Unreadable in the store: ${[...new Set(unreadable)].join(", ")}`;
  const { error } = status;
  return {
    ...status,
    error:
      error === null
        ? { code: "INTERNAL", message: note, retryable: false }
        : { ...error, message: `${error.message} (${note})` },
  };
}

export function optionsIn(reading: Reading, json: string | null | undefined): JobOptions {
  return reading.value("options", () => jobOptions(json ?? null), {});
}

/** A result that cannot be decrypted is an error, not a result. */
function resultOf(reading: Reading, open: () => unknown): Pick<JobStatus, "result" | "error"> {
  try {
    return { result: open(), error: null };
  } catch (error) {
    if (error instanceof HoldfastError) return { result: null, error: failureOf(error) };
    return { result: reading.value("result", open, null), error: null };
  }
}

interface StoredEntry {
  readonly state?: unknown;
  readonly at?: unknown;
  readonly seen?: string;
}

/** @param earliest is used where an effect's time cannot be read */
function toEffects(
  reading: Reading,
  store: QueueStore,
  dedupKey: string,
  stored: readonly string[],
  earliest: string,
): JobStatus["effects"] {
  const effects: JobStatus["effects"] = [];
  for (let index = 0; index < stored.length; index += 2) {
    const effect = { dedupKey, name: stored[index] ?? "" };
    const entry = Object(reading.json("effects", stored[index + 1])) as StoredEntry;
    const state = reading.value("effects", () => effectStateOf(entry.state), "reserved");
    effects.push({
      name: reading.value("effects", () => effectName(store, effect), effect.name),
      state,
      at: reading.time("effects", entry.at ?? Number.NaN, earliest),
      ...(state === "in-doubt" && { evidence: readEvidence(store, effect, entry.seen) }),
    });
  }
  // Redis stores them in no order, and several in one millisecond.
  return effects.sort((a, b) => a.at.localeCompare(b.at) || a.name.localeCompare(b.name));
}

function effectStateOf(state: unknown): (typeof effectStates)[number] {
  const known = effectStates.find((name) => name === state);
  if (known === undefined) throw new Error("Not a state of an effect");
  return known;
}

function parseJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
