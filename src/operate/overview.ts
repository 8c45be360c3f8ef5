import { z } from "zod";

const instant = z.iso.datetime();

const percentilesSchema = z.object({
  count: z.int().meta({ description: "How many jobs they are taken from." }),
  p50: z.number().nullable(),
  p90: z.number().nullable(),
  p99: z.number().nullable(),
});
export type Percentiles = Readonly<z.output<typeof percentilesSchema>>;

const queueOverviewSchema = z.object({
  name: z.string(),
  waiting: z.int(),
  prioritized: z.int(),
  delayed: z.int(),
  active: z.int(),
  completed: z.int().meta({ description: "Those that are kept." }),
  failed: z.int().meta({ description: "Those that are kept." }),
  cancelled: z.int().meta({
    description: "Of the failed ones, those that were cancelled; counted every ten seconds at most.",
  }),
  inDoubt: z.int().meta({ description: "Side effects of which nobody can know whether they happened." }),
  oldestWaitingSince: instant.nullable(),
  oldestDoubtSince: instant.nullable(),
  completedPerSecond: z.number(),
  failedPerSecond: z.number(),
  isPaused: z.boolean(),
});
export type QueueOverview = Readonly<z.output<typeof queueOverviewSchema>>;

const workerOverviewSchema = z.object({
  name: z.string(),
  queue: z.string(),
  startedAt: instant,
  seenAt: instant,
  concurrency: z.int(),
  running: z.int(),
  lastClaimedAt: instant.nullable(),
  isSilent: z
    .boolean()
    .meta({ description: "Gave no sign of life lately: gone, or cut off from the store." }),
  isStuck: z
    .boolean()
    .meta({ description: "Alive, with room for more, and takes none of the jobs that wait." }),
  isClockWrong: z
    .boolean()
    .meta({ description: "Its clock is more than 2 s off the store's: it takes no jobs until it is right." }),
  holds: z.array(z.object({ jobId: z.string(), type: z.string(), since: instant })),
});
export type WorkerOverview = Readonly<z.output<typeof workerOverviewSchema>>;

const guaranteeSchema = z.object({
  name: z.string(),
  holds: z.boolean(),
  detail: z
    .string()
    .meta({ description: "What it says; where it does not hold, what can happen and how to mend it." }),
});

const redisOverviewSchema = z.object({
  version: z.string(),
  usedBytes: z.int(),
  maxBytes: z.int().nullable().meta({ description: "Null where the store has no limit of its own." }),
  pingMs: z.number(),
  durability: z.string(),
  guarantees: z.array(guaranteeSchema),
});
export type RedisOverview = Readonly<z.output<typeof redisOverviewSchema>>;

const samplePointSchema = z.object({
  at: instant,
  submitted: z.number(),
  completed: z.number(),
  failed: z.number(),
});
export type SamplePoint = Readonly<z.output<typeof samplePointSchema>>;

/** What goes on. Rates are per second; durations are milliseconds. */
export const overviewSchema = z.object({
  at: instant,
  queues: z.array(queueOverviewSchema),
  history: z
    .array(samplePointSchema)
    .meta({ description: "Rates of all queues together, the oldest first." }),
  timeToStart: percentilesSchema.meta({ description: "From when a job may run to its first start." }),
  runTime: percentilesSchema,
  workers: z.array(workerOverviewSchema),
  store: redisOverviewSchema,
});
export type Overview = Readonly<z.output<typeof overviewSchema>>;
