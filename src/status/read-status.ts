import { type Failure, failureOf, parseFailure } from "../contract/failure.ts";
import { parseJobId } from "../contract/job-id.ts";
import { openStoredName } from "../effect/stored-name.ts";
import { batchByTurn } from "../service/batch-by-turn.ts";
import { isoTime } from "../service/iso-time.ts";
import type { StoreAccess } from "../store/connect.ts";
import { storeFault } from "../store/fault.ts";
import { ledgerKey, queueKey } from "../store/keys.ts";
import { jobPlace } from "../store/places.ts";
import { loadScript } from "../store/script.ts";
import { openedOrWhyNot, type Sealer } from "../store/sealer.ts";
import type { effectStates, JobState, JobStatus } from "./job-status.ts";

const script = loadScript(import.meta.url, "read-status.lua");

const lists = ["completed", "failed", "delayed", "prioritized", "active"];

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
  claim: Value,
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
export function openStatusReader(access: StoreAccess, prefix: string): ReadStatus {
  async function readTogether(jobs: readonly WantedJob[]): Promise<(JobStatus | undefined)[]> {
    const queues = [...new Set(jobs.map(({ queue }) => queue))];
    const read = queues.map((queue) => {
      const ids = jobs.filter((job) => job.queue === queue).map(({ id }) => id);
      return readFromQueue(access, prefix, queue, ids);
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
  { client, sealer }: StoreAccess,
  prefix: string,
  queue: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, JobStatus>> {
  const keys = lists.map((name) => queueKey(prefix, queue, name));
  const starts = [queueKey(prefix, queue, ""), ledgerKey(prefix, queue, "")];
  const reply = await script
    .run(client, keys, [...starts, fields.length, ...fields, ...ids])
    .catch((error: unknown) => {
      throw storeFault(error);
    });
  const found = (reply as (Told | null)[]).map((told, index) => [ids[index] ?? "", told] as const);
  return new Map(found.flatMap(([id, told]) => (told === null ? [] : [[id, statusOf(sealer, id, told)]])));
}

function statusOf(sealer: Sealer, id: string, [state, due, effects, ...values]: Told): JobStatus {
  const [name, claim, timestamp, opts, attemptsMade, progress, processedOn, finishedOn, result, reason] =
    values;
  const open = (value: unknown, part: "progress" | "result") => sealer.openValue(value, jobPlace(id, part));
  const isFinished = state === "completed" || state === "failed";
  return {
    id,
    type: name ?? "",
    state,
    attemptsMade: Number(attemptsMade ?? 0),
    maxAttempts: (parseJson(opts) as { attempts?: number } | null)?.attempts ?? 1,
    progress: openedOrWhyNot(() => open(parseJson(progress), "progress")),
    submittedAt: isoTime(Number(timestamp)),
    startedAt: processedOn === null ? null : isoTime(Number(processedOn)),
    finishedAt: isFinished && finishedOn !== null ? isoTime(Number(finishedOn)) : null,
    nextAttemptAt: due === null ? null : isoTime(Math.floor(Number(due) / DUE_SCALE)),
    // BullMQ keeps the last reason when a later attempt succeeds; only the state tells whether it still counts.
    ...(state === "completed"
      ? resultOf(() => open(parseJson(result), "result"))
      : { result: null, error: reason === null ? null : openFailure(sealer, id, reason) }),
    effects: toEffects(effects, (stored) => openStoredName(sealer, claim ?? "", stored)),
  };
}

/** A result that cannot be opened must not be taken for one. */
function resultOf(open: () => unknown): Pick<JobStatus, "result" | "error"> {
  try {
    return { result: open(), error: null };
  } catch (error) {
    return { result: null, error: failureOf(error) };
  }
}

/** Why a job failed, from BullMQ's `failedReason`. */
export function openFailure(sealer: Sealer, jobId: string, reason: string): Failure {
  return parseFailure(reason, (message) =>
    openedOrWhyNot(() => sealer.open(message, jobPlace(jobId, "failure"))),
  );
}

function toEffects(told: readonly string[], nameOf: (stored: string) => string): JobStatus["effects"] {
  const effects: JobStatus["effects"] = [];
  for (let index = 0; index < told.length; index += 2) {
    const { state, at } = JSON.parse(told[index + 1] ?? "{}") as {
      state: (typeof effectStates)[number];
      at: number;
    };
    effects.push({ name: nameOf(told[index] ?? ""), state, at: isoTime(at) });
  }
  return effects.sort((a, b) => a.at.localeCompare(b.at));
}

function parseJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
