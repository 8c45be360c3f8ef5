import { Queue } from "bullmq";
import { type Running, stopAll, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { bullmqQueueName, queueKey } from "../store/keys.ts";
import { type CancelOutcome, cancelJob } from "./cancel-job.ts";

/** One queue, under an operator's hand. */
export interface OperatedQueue extends Running {
  /** Puts a failed job back in the queue, with all its attempts before it. */
  retry(id: string): Promise<"retried" | "not-failed" | "missing">;
  /** Ends a job that waits, and tells the worker of one that is active to end it. */
  cancel(id: string): Promise<CancelOutcome>;
}

/** The queues of an application, opened together. */
export interface OperatedQueues extends Running {
  get(name: string): OperatedQueue | undefined;
  readonly names: readonly string[];
}

/** BullMQ's code for a job that is not in the state it was expected in. */
const NOT_IN_STATE = -3;

export function openOperatedQueues(
  prefix: string,
  names: readonly string[],
  connection: StoreClient,
): OperatedQueues {
  const queues = new Map(names.map((name) => [name, openQueue(prefix, name, connection)]));
  return { names, get: (name) => queues.get(name), stop: stopOnce(() => stopAll([...queues.values()])) };
}

function openQueue(prefix: string, name: string, connection: StoreClient): OperatedQueue {
  const queue = new Queue<unknown, unknown, string>(bullmqQueueName(name), {
    prefix,
    connection,
  });
  // The connection's owner hears of its errors; without a listener here BullMQ would print them.
  queue.on("error", () => {});
  return {
    async retry(id) {
      const job = await queue.getJob(id);
      if (job === undefined) return "missing";
      // BullMQ can give back attempts, but not the crashes that it counted.
      await connection.hset(queueKey(prefix, name, id), "stc", 0, "setAside", 0);
      try {
        await job.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
        return "retried";
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === NOT_IN_STATE) return "not-failed";
        throw error;
      }
    },
    cancel: (jobId) => cancelJob(connection, { prefix, queue: name, jobId }),
    stop: stopOnce(() => queue.close()),
  };
}
