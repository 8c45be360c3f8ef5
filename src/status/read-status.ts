import { openStoredName } from "../effect/stored-name.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Failure, failureOf, parseFailure } from "../job/failure.ts";
import { parseJobId, submittedAt } from "../job/job-id.ts";
import { batchByTurn } from "../lib/batch-by-turn.ts";
import { isoTime } from "../lib/iso-time.ts";
import type { JobState } from "../queue/job-state.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import { openedOrWhyNot } from "../redis/codec.ts";
import { redisFault } from "../redis/redis-errors.ts";
import { loadScript } from "../redis/script.ts";
import { effectStates, type JobStatus } from "./job-status.ts";
import { Reading, UNREADABLE } from "./readable.ts";

const script = loadScript(import.meta.url, "../queue/read-job.lua");

/** The fields of a job's hash in the order of `Values`, all of BullMQ's but the claim; the script relies on the first two. */
const fields = [
  "name",
  "claim",
  "timestamp",
  "opts",
  "atm",
  "progress",
  "processedOn",
  "finishedOn",
  "returnvalue",
  "failedReason",
];

type Value = string | null;
type Values = [
  name: Value,
  dedupKey: Value,
  timestamp: Value,
  opts: Value,
  attemptsMade: Value,
  progress: Value,
  processedOn: Value,
  finishedOn: Value,
  returnvalue: Value,
  failedReason: Value,
];

/** BullMQ multiplies due times by this, to keep jobs of one millisecond in order. */
export const DUE_SCALE = 4096;

const TOGETHER_MAX = 32;

/**
 * Reads the status of a job.
 *
 * @param id anything: what is not an id of ours is simply no job
 * @returns undefined when there is no such job, or no longer
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export type ReadStatus = (id: string) => Promise<JobStatus | undefined>;

/**
 * Reads statuses, each in one atomic step, at a cost that does not depend on how many jobs wait. Those that are asked for
 * within one turn of the event loop travel in one command for each queue.
 */
export function openStatusReader(stores: QueueStores): ReadStatus {
  async function readTogether(jobs: readonly WantedJob[]): Promise<(JobStatus | undefined)[]> {
    const queues = [...new Set(jobs.map(({ queue }) => queue))];
    const read = queues.map((queue) => {
      const ids = jobs.filter((job) => job.queue === queue).map(({ id }) => id);
      return readFromQueue(stores.of(queue), ids);
    });
    const known = new Map((await Promise.all(read)).flatMap((statuses) => [...statuses]));
    return jobs.map(({ id }) => known.get(id));
  }

  const read = batchByTurn({ run: readTogether, itemsMax: TOGETHER_MAX });
  return async (id) => {
    const queue = parseJobId(id)?.queue;
    return queue === undefined ? undefined : await read({ id, queue });
  };
}

interface WantedJob {
  readonly id: string;
  readonly queue: string;
}

/** What the script tells of a job: its state, when it is due, its effects, and the fields. */
type Told = [state: JobState, due: Value, effects: string[], ...values: Values];

async function readFromQueue(
  store: QueueStore,
  ids: readonly string[],
): Promise<ReadonlyMap<string, JobStatus>> {
  const { completed, failed, delayed, prioritized, active, start, ledgerStart } = store.keys;
  const reply = await script
    .run(
      store.client,
      [completed, failed, delayed, prioritized, active],
      [start, ledgerStart, fields.length, ...fields, ...ids],
    )
    .catch((error: unknown) => {
      throw redisFault(error);
    });
  const found = (reply as (Told | null)[]).map((told, index) => [ids[index] ?? "", told] as const);
  return new Map(found.flatMap(([id, told]) => (told === null ? [] : [[id, statusOf(store, id, told)]])));
}

function statusOf(store: QueueStore, id: string, [state, due, effects, ...values]: Told): JobStatus {
  const [name, dedupKey, timestamp, opts, attemptsMade, progress, processedOn, finishedOn, result, reason] =
    values;
  const isFinished = state === "completed" || state === "failed";
  const reading = new Reading();
  const submitted = reading.time("submittedAt", timestamp, isoTime(submittedAt(id)));
  const status = {
    id,
    type: name ?? "",
    state,
    attemptsMade: reading.int("attemptsMade", attemptsMade, 0),
    maxAttempts: reading.int("maxAttempts", optionsIn(reading, opts).attempts, 1),
    progress: reading.value(
      "progress",
      () => openedOrWhyNot(() => store.decryptValue(id, "progress", parseJson(progress))),
      UNREADABLE,
    ),
    submittedAt: submitted,
    startedAt: reading.time("startedAt", processedOn, null),
    finishedAt: isFinished ? reading.time("finishedAt", finishedOn, null) : null,
    nextAttemptAt:
      due === null ? null : reading.time("nextAttemptAt", Math.floor(Number(due) / DUE_SCALE), null),
    // BullMQ keeps the last reason when a later attempt succeeds; only the state tells whether it still counts.
    ...(state === "completed"
      ? resultOf(reading, () => store.decryptValue(id, "result", parseJson(result)))
      : { result: null, error: reason === null ? null : openFailure(store, id, reason) }),
    effects: toEffects(reading, effects, submitted, (stored) =>
      openStoredName(store, dedupKey ?? "", stored),
    ),
  };
  return reading.unreadable.length === 0 ? status : withNote(status, reading.unreadable);
}

/** Says what could not be read where people look for what is wrong with a job. */
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

/** @returns BullMQ's options of a job */
export function optionsIn(reading: Reading, opts: string | null | undefined): Record<string, unknown> {
  const parsed = reading.json("options", opts);
  return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
}

/** A result that cannot be opened must not be taken for one. */
function resultOf(reading: Reading, open: () => unknown): Pick<JobStatus, "result" | "error"> {
  try {
    return { result: open(), error: null };
  } catch (error) {
    if (error instanceof HoldfastError) return { result: null, error: failureOf(error) };
    return { result: reading.value("result", open, null), error: null };
  }
}

/** Why a job failed, from BullMQ's `failedReason`. */
export function openFailure(store: QueueStore, jobId: string, reason: string): Failure {
  return parseFailure(reason, (message) =>
    openedOrWhyNot(() => store.decryptText(jobId, "failure", message)),
  );
}

/** @param earliest stands where it cannot be read since when an effect is as it is */
function toEffects(
  reading: Reading,
  told: readonly string[],
  earliest: string,
  nameOf: (stored: string) => string,
): JobStatus["effects"] {
  const effects: JobStatus["effects"] = [];
  for (let index = 0; index < told.length; index += 2) {
    const stored = told[index] ?? "";
    const entry = Object(reading.json("effects", told[index + 1])) as { state?: unknown; at?: unknown };
    effects.push({
      name: reading.value("effects", () => nameOf(stored), stored),
      state: reading.value("effects", () => effectStateOf(entry.state), "reserved"),
      at: reading.time("effects", entry.at ?? Number.NaN, earliest),
    });
  }
  return effects.sort((a, b) => a.at.localeCompare(b.at));
}

function effectStateOf(state: unknown): (typeof effectStates)[number] {
  const known = effectStates.find((name) => name === state);
  if (known === undefined) throw new Error("Not a state of an effect");
  return known;
}

function parseJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
