import {
  CHARACTERS_MAX,
  type JobAdder,
  jobArgs,
  type ScriptArgs,
  TOGETHER_MAX,
} from "../../core/bullmq/add/job-adder.ts";
import { LayoutChanged } from "../../core/bullmq/store/partitions.ts";
import { bullmqQueueName } from "../../core/bullmq/store/queue-keys.ts";
import type { QueueStore, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../../platform/lib/batch-by-turn.ts";
import { type CountedReply, inEpoch, OTHER_EPOCH } from "../../platform/redis/fitness/epoch.ts";
import { inTime, redisFull, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { loadScript, type Script } from "../../platform/redis/script.ts";
import type { OnChildFailure } from "./flow.ts";

const openScript = loadScript(import.meta.url, "open-flow.lua");
const addScript = loadScript(import.meta.url, "add-children.lua");
const closeScript = loadScript(import.meta.url, "close-flow.lua");

const awaitingScript = loadScript(import.meta.url, "awaiting-parents.lua");

/** The flow gets no further children: another submitter has added all of them, or somebody has cancelled its parent. */
export class FlowClosed extends HoldfastError {
  constructor() {
    super("JOB_ENDED", "The flow gets no further children");
  }
}

/** Adds parents of flows. Each waits for its children, and does not run before `closeFlow`. */
export function createParentAdder(store: WritableQueueStore): JobAdder {
  return {
    async add(job) {
      const [holder] = await inTime(write<string | null | 0>(store, openScript, jobArgs(store, job)));
      if (holder === 0) throw redisFull();
      return holder ?? job.id;
    },
  };
}

/** What add-children.lua returns instead of a job's id. */
const NO_ROOM = 0;
const AWAITED_ELSEWHERE = 1;
const CLOSED = 2;

/**
 * Adds the children of one parent. Those of one turn of the event loop travel in one command.
 *
 * @returns an adder whose `add` also throws FlowClosed, and HoldfastError `CHILD_OF_OTHER_FLOW`
 */
export function createChildAdder(
  store: WritableQueueStore,
  parentId: string,
  onChildFailure: OnChildFailure,
): JobAdder {
  const parent = JSON.stringify(bullmqParent(store, parentId, onChildFailure));
  const add = batchByTurn({
    run: (jobs: readonly ScriptArgs[]) =>
      inTime(write<string | number | null>(store, addScript, [parent, ...jobs.flat()])),
    itemsMax: TOGETHER_MAX,
    weightOf: ([, , data]) => data.length,
    weightMax: CHARACTERS_MAX,
  });
  return {
    async add(job) {
      const holder = await add(jobArgs(store, job));
      if (holder === NO_ROOM) throw redisFull();
      if (holder === AWAITED_ELSEWHERE) throw childOfOtherFlow();
      if (holder === CLOSED) throw new FlowClosed();
      return holder === null ? job.id : String(holder);
    },
  };
}

/** BullMQ's field of a child. `fpof`: its failure fails the parent; `idof`: the parent waits for the others. */
function bullmqParent({ prefix, queue }: QueueStore, id: string, onChildFailure: OnChildFailure) {
  const queueKey = `${prefix}:${bullmqQueueName(queue)}`;
  return { id, queueKey, [onChildFailure === "fail" ? "fpof" : "idof"]: true };
}

/** Whether a flow may get further children. */
export async function isFlowOpen({ client, keys }: QueueStore, parentId: string): Promise<boolean> {
  return (await inTime(client.hget(keys.job(parentId), "flow"))) === "open";
}

/** The parents that wait for a job. */
export async function awaitingParents({ client, keys }: QueueStore, id: string): Promise<string[]> {
  return (await inTime(awaitingScript.run(client, [keys.job(id)], [keys.start, id]))) as string[];
}

export interface CompleteFlow {
  readonly parentId: string;
  readonly children: number;
  /** The parent's. */
  readonly dedupKey: string;
  /** For which that is held at least from now on, in milliseconds: longer than the children's. */
  readonly holdMs: number;
}

/** Lets a parent run that has all its children, once they have ended. */
export async function closeFlow(store: WritableQueueStore, flow: CompleteFlow): Promise<void> {
  const { parentId, children, dedupKey, holdMs } = flow;
  const args = [parentId, children, dedupKey, holdMs];
  const [isClosed] = await inTime(write<number>(store, closeScript, args));
  if (isClosed === 0) throw redisUnavailable(undefined, "Some children of the flow are missing");
}

/** Runs a script that returns results and the epoch's count. */
async function write<Result>(
  { epoch, keys }: WritableQueueStore,
  script: Script,
  args: readonly (string | number)[],
): Promise<Result[]> {
  const { layout } = epoch;
  const { result, unconfirmed } = await inEpoch(epoch, async (id, count) => {
    if (epoch.layout !== layout) throw new LayoutChanged();
    const written = await epoch.write(script, [keys.epoch], [keys.start, id, count, ...args]);
    if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
    const reply = written.reply as [...Result[], number];
    const counted: CountedReply<Result[]> = {
      result: reply.slice(0, -1) as Result[],
      count: Number(reply.at(-1)),
      unconfirmed: written.unconfirmed,
    };
    return counted;
  });
  if (unconfirmed !== undefined) throw unconfirmed;
  return result;
}

export function childOfOtherFlow(): HoldfastError {
  return new HoldfastError(
    "CHILD_OF_OTHER_FLOW",
    "Another flow still waits for the job with this child's key",
    {
      retryAfterMs: RETRY_AFTER_MS,
    },
  );
}

const RETRY_AFTER_MS = 5_000;
