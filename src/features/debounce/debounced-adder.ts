import { storedEnvelope } from "../../core/bullmq/add/envelope.ts";
import {
  answersOf,
  type Holder,
  holderShape,
  type JobAdder,
  jobArgs,
  openAdding,
  type ScriptArgs,
} from "../../core/bullmq/add/job-adder.ts";
import type { QueueStore, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import { readKey } from "../../core/status/read-keys.ts";
import type { OtherWay } from "../../core/submit/points.ts";
import { inTime, redisFull } from "../../platform/redis/redis-errors.ts";
import { either, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "add-debounced.lua", answersOf(either(holderShape, tuple(text))));

type Seen = readonly [id: string, data: string, key: string];
type Args = readonly [...ScriptArgs, ...Seen];
/** In a list: a job that waits, for which the data must be encrypted. */
type Answer = Holder | readonly [id: string];

const NONE_SEEN: Seen = ["", "", ""];

/** Adds jobs, or replaces those that wait. */
function createDebouncedAdder(store: WritableQueueStore): JobAdder {
  const add = openAdding<Args, Answer>(store, script);
  return {
    async add(job) {
      const own = jobArgs(store, job);
      let answer = await add([...own, ...NONE_SEEN]);
      // Each further turn means that another submission was accepted meanwhile: it has begun a window.
      while (isOther(answer)) {
        const [seen] = answer;
        answer = await add([...own, seen, ...storedEnvelope(store, seen, job.envelope)]);
      }
      if (answer === 0) throw redisFull();
      return answer ?? job.id;
    },
  };
}

function isOther(answer: Answer): answer is readonly [id: string] {
  return Array.isArray(answer);
}

/** Adds which submission has replaced the payload of a repeated one, as long as the job is kept. */
async function withReplacer(store: QueueStore, receipt: Receipt): Promise<Receipt> {
  const found = await inTime(readKey(store, receipt.id));
  const key = found?.key;
  return key === undefined || key === receipt.idempotencyKey ? receipt : { ...receipt, replacedBy: key };
}

export const debouncing: OtherWay = {
  createAdder: createDebouncedAdder,
  receiptOf(stores, receipt, { submission, job }) {
    if (receipt.duplicate) return withReplacer(stores.of(queueOfId(job) ?? ""), receipt);
    return submission === job ? receipt : { ...receipt, replaces: true };
  },
};
