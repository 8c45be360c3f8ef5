import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { FlowProducer, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { inject } from "vitest";
import { onTestFinished } from "./test-scope.ts";

/** What a worker of BullMQ has done. */
export interface Done {
  readonly id: string;
  readonly data: { readonly n?: number };
}

/** An application that runs on BullMQ alone: a queue, and workers once they are started. It ends with the test. */
export function bullmqApplication(name = "mail") {
  const prefix = `bull-${randomUUID()}`;
  const connection = new Redis(inject("redisUrl"), { maxRetriesPerRequest: null });
  const queue = new Queue(name, { prefix, connection });
  const flows = new FlowProducer({ prefix, connection });
  const workers: Worker[] = [];
  const done: Done[] = [];
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.close(true)));
    await Promise.all([queue.close(), flows.close()]);
    connection.disconnect();
  });
  return {
    name,
    prefix,
    connection,
    queue,
    flows,
    done,
    /** The full name of one of the queue's keys. */
    key: (suffix: string) => `${prefix}:${name}:${suffix}`,
    /** @param jobMs how long each of its jobs takes, in milliseconds */
    startWorker(jobMs: number): void {
      const process = async ({ id = "", data }: { id?: string; data: Done["data"] }) => {
        done.push({ id, data });
        await pause(jobMs);
      };
      const worker = new Worker(name, process, { prefix, connection });
      worker.on("error", () => {});
      workers.push(worker);
    },
  };
}
