import { type Started, startHoldfast, startScript } from "../../lib/processes.ts";

/** A queue seen from outside. */
export interface Contestant {
  readonly name: string;
  /** Its producer, relative to `lab/bench/`, without extension. */
  readonly module: string;
  /** Full names of its keys in Redis. */
  readonly keys: {
    /** Lists. */
    readonly waiting: string;
    readonly active: string;
    /** BullMQ's sorted sets; missing ones are not checked. */
    readonly completed?: string;
    readonly delayed?: string;
    /** Holdfast's, of effects. */
    readonly doubts?: string;
    readonly others?: readonly string[];
    /** The event stream, whose length is limited. */
    readonly events?: string;
  };
  startWorker(url: string, options: WorkerOptions): Promise<Started<unknown>>;
}

export interface WorkerOptions {
  readonly concurrency: number;
  /** How many completed jobs are kept. */
  readonly keepCompleted: number;
  /** Where `posted-email` is sent. */
  readonly downstream?: string;
}

/** Holdfast's default, for every side that can limit what it keeps. */
export const KEEP_COMPLETED = 10_000;

export const holdfast: Contestant = {
  name: "Holdfast",
  module: "holdfast",
  keys: bullmqKeys("holdfast:{default}"),
  startWorker: (url, { concurrency, keepCompleted, downstream = "" }) =>
    startHoldfast("worker", {
      REDIS_URL: url,
      BENCH_DOWNSTREAM: downstream,
      HOLDFAST_CONCURRENCY: String(concurrency),
      HOLDFAST_KEEP_COMPLETED: String(keepCompleted),
    }),
};

export const bullmq = opponent("BullMQ", "opponents/bullmq", bullmqKeys("bull:bench"));

export const bullmqGuarded = opponent(
  "BullMQ with SET NX",
  "opponents/bullmq-guarded",
  bullmqKeys("bull:bench"),
);

export const bullmqPosting = opponent(
  "BullMQ, a request",
  "opponents/bullmq-posting",
  bullmqKeys("bull:bench"),
);

export const bullmqOnHoldfast = opponent(
  "BullMQ on Holdfast's jobs",
  "opponents/bullmq-on-holdfast",
  bullmqKeys("holdfast:{default}"),
);

export const beeQueue = opponent("bee-queue", "opponents/bee-queue", {
  waiting: "bq:bench:waiting",
  active: "bq:bench:active",
});

export const platformatic = opponent("@platformatic/job-queue", "opponents/platformatic", {
  waiting: "jq:queue",
  active: "jq:processing:bench",
});

function opponent(name: string, module: string, keys: Contestant["keys"]): Contestant {
  return {
    name,
    module,
    keys,
    startWorker: (url, { concurrency, keepCompleted, downstream = "" }) =>
      startScript("lib/inside/worker", [module, String(concurrency), String(keepCompleted)], {
        REDIS_URL: url,
        BENCH_DOWNSTREAM: downstream,
      }),
  };
}

function bullmqKeys(queue: string): Contestant["keys"] {
  return {
    waiting: `${queue}:wait`,
    active: `${queue}:active`,
    completed: `${queue}:completed`,
    delayed: `${queue}:delayed`,
    doubts: `${queue}:doubts`,
    others: ["failed", "delayed", "prioritized"].map((name) => `${queue}:${name}`),
    events: `${queue}:events`,
  };
}
