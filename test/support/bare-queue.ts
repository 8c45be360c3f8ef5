import { type Job, Queue, Worker, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import { afterEach, beforeEach } from "vitest";
import { testEnvironment } from "./service.ts";
import { until } from "./until.ts";

const name = "{bare}";

/** Plain BullMQ: a new queue for each test of a file, and workers that end with the test. */
export function useBareQueue() {
  let prefix: string;
  let connection: Redis;
  let queue: Queue;
  let workers: Worker[];

  beforeEach(() => {
    const { REDIS_URL, HOLDFAST_PREFIX } = testEnvironment();
    prefix = HOLDFAST_PREFIX;
    connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
    queue = new Queue(name, { prefix, connection });
    workers = [];
  });

  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await queue.close();
    connection.disconnect();
  });

  const untilState = (id: string, ...states: string[]) =>
    until(`job ${id} is ${states.join(" or ")}`, async () => states.includes(await queue.getJobState(id)));

  return {
    get queue() {
      return queue;
    },
    get store() {
      return connection;
    },
    /** The full name of one of the queue's keys. */
    key: (suffix: string) => `${prefix}:${name}:${suffix}`,
    work(
      process: (job: Job, token?: string) => Promise<unknown>,
      options: Partial<WorkerOptions> = {},
    ): Worker {
      const worker = new Worker(name, process, { prefix, connection, ...options });
      worker.on("error", () => {});
      workers.push(worker);
      return worker;
    },
    untilState,
    async untilFinished(id: string): Promise<Job> {
      await untilState(id, "completed", "failed");
      return (await queue.getJob(id)) as Job;
    },
  };
}
