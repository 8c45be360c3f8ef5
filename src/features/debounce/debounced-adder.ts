import { storedEnvelope } from "../../core/bullmq/add/envelope.ts";
import {
  type Holder,
  type JobAdder,
  jobArgs,
  openAdding,
  type ScriptArgs,
} from "../../core/bullmq/add/job-adder.ts";
import type { NewJob } from "../../core/bullmq/add/new-job.ts";
import type { QueueStore, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import { readKey } from "../../core/status/read-keys.ts";
import { inTime, redisFull, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "add-debounced.lua");

type Args = readonly [...ScriptArgs, encryptedFor: string];
/** In a list: the job for which the data must be encrypted. */
type Answer = Holder | readonly [id: string];

/** A window begins or ends between two tries: that takes at least as long as the shortest window. */
const TRIES_MAX = 8;

/** Adds jobs, or replaces those that wait. */
export function createDebouncedAdder(store: WritableQueueStore): JobAdder {
  const add = openAdding<Args, Answer>(store, script);
  return {
    async add(job) {
      const own = jobArgs(store, job);
      let answer = await add([...own, isEncrypted(own) ? job.id : ""]);
      for (let tries = 1; Array.isArray(answer) && tries < TRIES_MAX; tries += 1) {
        const [id] = answer as readonly [string];
        answer = await add([...encryptedFor(store, id, job, own), id]);
      }
      if (answer === 0) throw redisFull();
      if (answer !== null && typeof answer !== "string") throw redisUnavailable();
      return answer ?? job.id;
    },
  };
}

function isEncrypted([, , data]: ScriptArgs): boolean {
  return !data.startsWith("{");
}

/** What is encrypted for one job cannot be read as another's. */
function encryptedFor(
  store: QueueStore,
  id: string,
  job: NewJob,
  [ownId, name, , , ...more]: ScriptArgs,
): ScriptArgs {
  return [ownId, name, ...storedEnvelope(store, id, job.envelope), ...more];
}

/** Adds to the receipt of a repeated submission which one has replaced it, as long as the job is kept. */
export async function withReplacer(store: QueueStore, receipt: Receipt): Promise<Receipt> {
  const found = await inTime(readKey(store, receipt.id));
  const key = found?.key;
  return key === undefined || key === receipt.idempotencyKey ? receipt : { ...receipt, replacedBy: key };
}
