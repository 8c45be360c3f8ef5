import type { RetryPolicy } from "../job/retry-policy.ts";
import { batchByTurn } from "../lib/batch-by-turn.ts";
import { type CountedReply, inEpoch, OTHER_EPOCH } from "../redis/epoch.ts";
import { epochLua, memoryLua, nowLua } from "../redis/includes.ts";
import { inTime, redisFull } from "../redis/redis-errors.ts";
import { replicasMissing, type Written } from "../redis/replicas.ts";
import { loadScript } from "../redis/script.ts";
import { enqueueLua } from "./includes.ts";
import type { NewJob } from "./new-job.ts";
import type { WritableQueueStore } from "./queue-store.ts";

/** Enqueues jobs. */
export interface JobAdder {
  /**
   * Enqueues a job unless its claim is held, in one atomic step of the store.
   *
   * @returns the id of the job that holds the claim: the new job's own, or that of the first one
   * @throws HoldfastError `STORE_UNAVAILABLE` (outcome unknown), `STORE_FULL`, `STORE_ROLLED_BACK`
   */
  add(job: NewJob): Promise<string>;
}

/** About as many as the store reads at once. */
const TOGETHER_MAX = 32;
/** One command holds up everybody else in the store: so many characters take some milliseconds. */
const CHARACTERS_MAX = 1_048_576;

/** So many jobs are added without looking at Redis's memory: at most 7 MiB. */
const UNCHECKED_MAX = 7;

const script = loadScript(import.meta.url, "add-jobs.lua", nowLua, epochLua, memoryLua, enqueueLua);

/**
 * Adds jobs to one queue. Those that come within one turn of the event loop travel in one command, which is most of what
 * a submission costs under load.
 */
export function createJobAdder(store: WritableQueueStore): JobAdder {
  const { epoch, keys } = store;
  const used = [keys.epoch, keys.jobsSinceMemoryCheck];

  async function addTogether(jobs: readonly ScriptArgs[]): Promise<Holder[]> {
    const args: (string | number)[] = [];
    // `flat()` is no option here: it takes half a microsecond for each job.
    for (const job of jobs) args.push(...job);
    const { result, isConfirmed } = await inEpoch(epoch, async (id, count) => {
      const written = await epoch.write(script, used, [keys.start, id, count, UNCHECKED_MAX, ...args]);
      return written.reply === OTHER_EPOCH ? OTHER_EPOCH : counted(written);
    });
    if (!isConfirmed) throw replicasMissing();
    return result;
  }

  const add = batchByTurn({
    run: (jobs: readonly ScriptArgs[]) => inTime(addTogether(jobs)),
    itemsMax: TOGETHER_MAX,
    weightOf: ([, , data]) => data.length,
    weightMax: CHARACTERS_MAX,
  });
  return {
    async add(job) {
      const { id, type, dedupKey, dedupKeyMs, delayMs, priority } = job;
      const data = JSON.stringify(store.encryptValue(id, "data", job.envelope));
      const holder = await add([id, type, data, bullmqOptions(job), dedupKey, dedupKeyMs, delayMs, priority]);
      if (holder === 0) throw redisFull();
      return holder ?? id;
    },
  };
}

/** The store's count stands behind the holders. */
function counted({ reply, isConfirmed }: Written): CountedReply<Holder[]> {
  const holders = reply as [...Holder[], number];
  return { count: Number(holders.at(-1)), result: holders.slice(0, -1) as Holder[], isConfirmed };
}

/** The job that holds a claim: null is the one that was added, 0 says that there was no room for it. */
type Holder = string | null | 0;

/** One job, as the script reads it. */
type ScriptArgs = readonly [
  id: string,
  name: string,
  data: string,
  options: string,
  dedupKey: string,
  dedupKeyMs: number,
  delayMs: number,
  priority: number,
];

/** The options of the jobs with nothing to say but how they are retried: most jobs of a type. */
const retryOptions = new WeakMap<RetryPolicy, string>();

/** What workers need to know, as JSON. BullMQ would put id and claim here, too, which stand elsewhere. */
function bullmqOptions({ retry, delayMs, priority, trace }: NewJob): string {
  if (delayMs > 0 || priority > 0 || trace !== undefined) {
    return JSON.stringify({
      ...retryOf(retry),
      ...(delayMs > 0 && { delay: delayMs }),
      ...(priority > 0 && { priority }),
      // BullMQ's short name for the context of its telemetry.
      ...(trace !== undefined && { tm: trace }),
    });
  }
  let options = retryOptions.get(retry);
  if (options === undefined) {
    options = JSON.stringify(retryOf(retry));
    retryOptions.set(retry, options);
  }
  return options;
}

function retryOf({ attempts, backoff }: RetryPolicy) {
  const { kind: type, delayMs: delay } = backoff;
  const jitter = backoff.kind === "exponential" ? { jitter: backoff.jitter ?? 0 } : {};
  return { attempts, backoff: { type, delay, ...jitter } };
}
