import { parseFailure } from "../contract/failure.ts";
import { parseJobId } from "../contract/job-id.ts";
import type { StoreClient } from "../store/client.ts";
import { storeFault } from "../store/fault.ts";
import { ledgerKey, queueKey } from "../store/keys.ts";
import { loadScript } from "../store/script.ts";
import type { effectStates, JobState, JobStatus } from "./job-status.ts";

const script = loadScript(import.meta.url, "read-status.lua");

/** BullMQ's names for the fields of a job's hash; the script relies on the first two. */
const fields = [
  "name",
  "deid",
  "timestamp",
  "opts",
  "atm",
  "progress",
  "processedOn",
  "finishedOn",
  "returnvalue",
  "failedReason",
] as const;
type Fields = Readonly<Record<(typeof fields)[number], string | null>>;

/** BullMQ multiplies due times by this, to keep jobs of one millisecond in order. */
const DUE_SCALE = 4096;

/**
 * Reads the status of a job in one atomic step, at a cost that does not depend on how many jobs wait.
 *
 * @param id anything: what is not an id of ours is simply no job
 * @returns undefined when there is no such job, or no longer
 * @throws HoldfastError `STORE_UNAVAILABLE`
 */
export async function readStatus(
  client: StoreClient,
  prefix: string,
  id: string,
): Promise<JobStatus | undefined> {
  const jobId = parseJobId(id);
  if (jobId === undefined) return undefined;
  const key = (name: string) => queueKey(prefix, jobId.queue, name);
  const keys = [key(id), key("completed"), key("failed"), key("delayed"), key("prioritized"), key("active")];
  const args = [id, ledgerKey(prefix, jobId.queue, ""), ...fields];
  const reply = await script.run(client, keys, args).catch((error: unknown) => {
    throw storeFault(error);
  });
  if (reply === null) return undefined;
  const [state, due, effects, ...values] = reply as [JobState, string | null, string[], ...(string | null)[]];
  const entries = fields.map((field, index) => [field, values[index] ?? null]);
  return { ...toStatus(id, state, due, Object.fromEntries(entries) as Fields), effects: toEffects(effects) };
}

function toStatus(id: string, state: JobState, due: string | null, job: Fields): Omit<JobStatus, "effects"> {
  const isFinished = state === "completed" || state === "failed";
  return {
    id,
    type: job.name ?? "",
    state,
    attemptsMade: Number(job.atm ?? 0),
    maxAttempts: (parseJson(job.opts) as { attempts?: number } | null)?.attempts ?? 1,
    progress: parseJson(job.progress),
    submittedAt: isoTime(Number(job.timestamp)),
    startedAt: job.processedOn === null ? null : isoTime(Number(job.processedOn)),
    finishedAt: isFinished && job.finishedOn !== null ? isoTime(Number(job.finishedOn)) : null,
    nextAttemptAt: due === null ? null : isoTime(Math.floor(Number(due) / DUE_SCALE)),
    result: state === "completed" ? parseJson(job.returnvalue) : null,
    // BullMQ keeps the last reason when a later attempt succeeds; only the state tells whether it still counts.
    error: state === "completed" || job.failedReason === null ? null : parseFailure(job.failedReason),
  };
}

function toEffects(told: readonly string[]): JobStatus["effects"] {
  const effects: JobStatus["effects"] = [];
  for (let index = 0; index < told.length; index += 2) {
    const { state, at } = JSON.parse(told[index + 1] ?? "{}") as {
      state: (typeof effectStates)[number];
      at: number;
    };
    effects.push({ name: told[index] ?? "", state, at: isoTime(at) });
  }
  return effects.sort((a, b) => a.at.localeCompare(b.at));
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function parseJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
