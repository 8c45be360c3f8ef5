import {
  answersOf,
  CHARACTERS_MAX,
  holderShape,
  type JobAdder,
  jobArgs,
  type ScriptArgs,
  TOGETHER_MAX,
  writeInEpoch,
} from "../../core/bullmq/add/job-adder.ts";
import type { NewJob } from "../../core/bullmq/add/new-job.ts";
import { bullmqQueueName } from "../../core/bullmq/store/queue-keys.ts";
import type { QueueStore, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../../platform/lib/batch-by-turn.ts";
import { inTime, redisFull, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { either, integer, listOf, orNull, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { OnChildFailure } from "./flow.ts";
import { childOfOtherFlow } from "./flow-refusals.ts";

const openScript = loadScript(import.meta.url, "open-flow.lua", answersOf(holderShape));
const addScript = loadScript(import.meta.url, "add-children.lua", answersOf(either(orNull(text), integer)));
const closeScript = loadScript(import.meta.url, "close-flow.lua", answersOf(integer));
const awaitingScript = loadScript(import.meta.url, "awaiting-parents.lua", listOf(text));

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
      const [holder] = await inTime(write(store, openScript, jobArgs(store, job)));
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
    run: (jobs: readonly ScriptArgs[]) => inTime(write(store, addScript, [parent, ...jobs.flat()])),
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
  return await inTime(awaitingScript.run(client, [keys.job(id)], [keys.start, id]));
}

/**
 * Lets a parent run that has all its children, once they have ended.
 *
 * @param dedup the parent's key, and for which it is held at least from now on, in milliseconds: longer than the children's
 */
export async function closeFlow(
  store: WritableQueueStore,
  parentId: string,
  children: number,
  { key, holdMs }: NewJob["dedup"],
): Promise<void> {
  const [isClosed] = await inTime(write(store, closeScript, [parentId, children, key, holdMs]));
  if (isClosed === 0) throw redisUnavailable(undefined, "Some children of the flow are missing");
}

function write<Answer>(
  store: WritableQueueStore,
  script: Parameters<typeof writeInEpoch<Answer>>[1],
  args: readonly (string | number)[],
): Promise<Answer[]> {
  const { epoch, start } = store.keys;
  return writeInEpoch(store, script, [epoch], (id, count) => [start, id, count, ...args]);
}
