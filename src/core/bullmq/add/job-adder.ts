import { batchByTurn } from "../../../platform/lib/batch-by-turn.ts";
import { inEpoch, OTHER_EPOCH } from "../../../platform/redis/fitness/epoch.ts";
import { inTime, redisFull, redisUnavailable } from "../../../platform/redis/redis-errors.ts";
import { either, ends, integer, oneOf, type Shape, text } from "../../../platform/redis/reply-shape.ts";
import { loadScript, type Script } from "../../../platform/redis/script.ts";
import type { Backoff } from "../../job/retry-policy.ts";
import { LayoutChanged } from "../store/partitions.ts";
import type { QueueStore, WritableQueueStore } from "../store/queue-store.ts";
import { storedEnvelope } from "./envelope.ts";
import type { NewJob } from "./new-job.ts";

/** Adds jobs to one queue. */
export interface JobAdder {
  /**
   * Enqueues a job unless another job has its deduplication key, in one atomic step.
   *
   * @returns what has the key, as `keyHolder` reads it: this job's id, or what a submission before it left
   * @throws HoldfastError `STORE_UNAVAILABLE` (outcome unknown), `STORE_FULL`, `STORE_ROLLED_BACK`
   * @throws LayoutChanged
   */
  add(job: NewJob): Promise<string>;
}

/** About as many commands as Redis reads at once. */
export const TOGETHER_MAX = 32;
/** A command blocks Redis for everybody: this many characters take some milliseconds. */
export const CHARACTERS_MAX = 1_048_576;
/** Jobs added without a look at Redis's memory: at most 7 MiB. */
const UNCHECKED_MAX = 7;

/** What has the key: null where this job has it now, 0 where there was no room. */
export type Holder = string | null | 0;

export const holderShape: Shape<Holder> = (reply) => reply === null || reply === 0 || text(reply);

/** What a script replies that is called for several jobs in an epoch: an answer for each, then the epoch's count. */
export function answersOf<Answer>(answer: Shape<Answer>) {
  return either(oneOf(OTHER_EPOCH), ends(answer, integer));
}

type Answers<Answer> = typeof OTHER_EPOCH | [...Answer[], number];

const script = loadScript(import.meta.url, "add-jobs.lua", answersOf(holderShape));

export function createJobAdder(store: WritableQueueStore): JobAdder {
  const add = openAdding<ScriptArgs, Holder>(store, script);
  return {
    async add(job) {
      const holder = await add(jobArgs(store, job));
      if (holder === 0) throw redisFull();
      return holder ?? job.id;
    },
  };
}

/**
 * Jobs of one turn of the event loop travel in one command: most of what a submission costs under load.
 *
 * @param script is called as add-jobs.lua is
 * @returns a function that returns the script's answer for a job
 */
export function openAdding<Args extends readonly [...ScriptArgs, ...string[]], Answer>(
  store: WritableQueueStore,
  script: Script<Answers<Answer>>,
): (args: Args) => Promise<Answer> {
  return batchByTurn({
    run: (jobs: readonly Args[]) => inTime(addAll<Answer>(store, script, jobs)),
    itemsMax: TOGETHER_MAX,
    weightOf: ([, , data]) => data.length,
    weightMax: CHARACTERS_MAX,
  });
}

async function addAll<Answer>(
  store: WritableQueueStore,
  script: Script<Answers<Answer>>,
  jobs: readonly (readonly (string | number)[])[],
): Promise<Answer[]> {
  const { start, epoch, jobsSinceMemoryCheck } = store.keys;
  const answers = await writeInEpoch<Answer>(store, script, [epoch, jobsSinceMemoryCheck], (id, count) => {
    const args: (string | number)[] = [start, id, count, UNCHECKED_MAX];
    // `flat()` takes longer (row `http-submit`).
    for (const job of jobs) args.push(...job);
    return args;
  });
  if (answers.length !== jobs.length) throw redisUnavailable();
  return answers;
}

/**
 * Runs a script that writes for several jobs, if Redis has lost nothing and the queue is not divided meanwhile.
 *
 * @param script answers for each job, and with the epoch's count at the end
 * @throws LayoutChanged
 */
export async function writeInEpoch<Answer>(
  { epoch }: WritableQueueStore,
  script: Script<Answers<Answer>>,
  keys: readonly string[],
  argsIn: (id: string, count: number) => readonly (string | number)[],
): Promise<Answer[]> {
  const { layout } = epoch;
  const { result, unconfirmed } = await inEpoch(epoch, async (id, count) => {
    if (epoch.layout !== layout) throw new LayoutChanged();
    const written = await epoch.write(script, keys, argsIn(id, count));
    if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
    const result = written.reply.slice(0, -1) as Answer[];
    return { count: Number(written.reply.at(-1)), result, unconfirmed: written.unconfirmed };
  });
  if (unconfirmed !== undefined) throw unconfirmed;
  return result;
}

/** One job, as scripts read it. */
export type ScriptArgs = readonly [
  id: string,
  name: string,
  data: string,
  key: string,
  options: string,
  dedupKey: string,
  dedupKeyMs: number,
  delayMs: number,
  priority: number,
  extras: string,
];

export function jobArgs(store: QueueStore, job: NewJob): ScriptArgs {
  const { id, type, timing, dedup } = job;
  const claim = [dedup.key, dedup.holdMs] as const;
  return [
    id,
    type,
    ...storedEnvelope(store, id, job.envelope),
    bullmqOptions(job),
    ...claim,
    timing.delayMs,
    timing.priority,
    job.extras?.json ?? "",
  ];
}

/** The options that workers need, as JSON. BullMQ would repeat id and deduplication key here. */
function bullmqOptions({ retry, timing, extras, trace }: NewJob): string {
  const { delayMs, priority, startBy } = timing;
  return JSON.stringify({
    attempts: retry.attempts,
    backoff: bullmqBackoff(retry.backoff),
    delay: delayMs > 0 ? delayMs : undefined,
    priority: priority > 0 ? priority : undefined,
    // Ours: BullMQ passes them on.
    startBy,
    ...extras?.stored,
    // BullMQ's short name for the context of its telemetry.
    tm: trace,
  });
}

function bullmqBackoff(backoff: Backoff) {
  const { kind: type, delayMs: delay } = backoff;
  return { type, delay, jitter: backoff.kind === "exponential" ? (backoff.jitter ?? 0) : undefined };
}
