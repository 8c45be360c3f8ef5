import { z } from "zod";
import type { OverviewPart } from "../../core/status/overview-part.ts";
import { type All, features, type ListedFeature } from "../../features/index.ts";
import { failedCountShape } from "../jobs/failure-groups.ts";
import { curbSchema } from "../queues/curbs.ts";
import { rampSchema } from "../queues/ramps.ts";
import { estimatedSchema } from "./history.ts";

const instant = z.iso.datetime();

const percentilesSchema = z.object({
  count: z.int().meta({ description: "How many jobs they are computed from." }),
  p50: z.number().nullable(),
  p90: z.number().nullable(),
  p99: z.number().nullable(),
});
export type Percentiles = Readonly<z.output<typeof percentilesSchema>>;

export const pauseSchema = z.object({
  reason: z.string().meta({ description: "Empty if another tool paused it." }),
  by: z.string(),
  since: instant.nullable(),
});

/** Of a worker that an operator wants to claim no more jobs. */
export const quietSchema = z.object({
  reason: z.string(),
  by: z.string(),
  since: instant,
  hasHeard: z.boolean().meta({
    description: "Whether the worker has heard it, with its next heartbeat: from then on it claims no job.",
  }),
});

export const limitsSchema = z.object({
  concurrency: z
    .int()
    .nullable()
    .meta({ description: "How many jobs run at a time, in all workers together." }),
  rate: z.string().nullable().meta({ description: 'How many jobs start in a time, such as "10/1s".' }),
});

const queueOverviewSchema = z.object({
  name: z.string(),
  waiting: z.int(),
  waitingChildren: z.int().meta({ description: "Parents of flows whose children have not ended." }),
  prioritized: z.int(),
  delayed: z.int(),
  active: z.int(),
  completed: z.int().meta({ description: "While they are kept." }),
  ...failedCountShape,
  inDoubt: z.int().meta({ description: "Side effects in doubt: nobody can know whether they happened." }),
  stillRunning: z.int().meta({
    description:
      "Runs that were told to stop and have not returned, such as those of cancelled jobs: at least so many.",
  }),
  oldestWaitingSince: instant.nullable(),
  oldestDoubtSince: instant.nullable(),
  completedPerSecond: z.number(),
  failedPerSecond: z.number(),
  isPaused: z.boolean(),
  paused: pauseSchema.nullable().meta({ description: "By whom and why; null if it is not paused." }),
  workers: z.int().meta({ description: "With a recent heartbeat. Without one, no job of it starts." }),
  quietWorkers: z.int().meta({ description: "Of these, those that were told to claim no more jobs." }),
  limits: limitsSchema.meta({ description: "In force; null where there is none." }),
  ramp: rampSchema.nullable().meta({ description: "While its jobs start slowly, after a resume." }),
  curbs: z.array(curbSchema).meta({ description: "Types and keys that are paused or limited by hand." }),
  limitedBy: z.string().nullable().meta({ description: "Who limits it by hand; null if nobody does." }),
  clearsInMs: z.number().nullable().meta({
    description:
      "When the last of those that wait could start at its rate; null without a rate, and while it is paused.",
  }),
});
export type QueueOverview = Readonly<z.output<typeof queueOverviewSchema>>;

const ownTypeOverviewSchema = z.object({
  type: z.string(),
  queue: z.string(),
  active: z.int(),
  waiting: z.int().meta({ description: "Jobs that could run now." }),
  isEstimate: z
    .boolean()
    .meta({ description: "Whether waiting is computed from the next 500 jobs of a longer queue." }),
  oldestWaitingSince: instant.nullable(),
  completedPerSecond: z.number().meta({ description: "Over the last five minutes." }),
  lastHour: z
    .object({
      completed: z.int(),
      retried: z.int().meta({ description: "Attempts that failed, and that another one follows." }),
      failed: z.int().meta({ description: "Failed for good, or expired." }),
      inDoubt: z.int(),
      timeToStart: estimatedSchema,
      runTime: estimatedSchema,
      completedEachTwoMinutes: z
        .array(z.int())
        .meta({ description: "Thirty counts, the oldest first; the last two minutes have not ended." }),
    })
    .meta({ description: "From the history." }),
});

type TypeMembers = All<Extract<ListedFeature, { readonly overview: OverviewPart }>["overview"]["members"]>;
const typeMembers = Object.assign({}, ...features.map(({ overview }) => overview?.members)) as TypeMembers;
const typeOverviewSchema = ownTypeOverviewSchema.extend(typeMembers);
export type TypeOverview = Readonly<z.output<typeof typeOverviewSchema>>;

const workerOverviewSchema = z.object({
  name: z.string(),
  queue: z.string(),
  version: z.string().nullable().meta({
    description: "Of its application, by HOLDFAST_APPLICATION_VERSION; null where that is not set.",
  }),
  startedAt: instant,
  seenAt: instant,
  concurrency: z.int(),
  running: z.int(),
  lastClaimedAt: instant.nullable(),
  isSilent: z.boolean().meta({ description: "No recent heartbeat: it is gone, or cut off from Redis." }),
  isGone: z.boolean().meta({
    description:
      "It has stopped or is forgotten, but jobs that it started are not found as stalled yet. Its times are those of the first of them.",
  }),
  isStuck: z.boolean().meta({ description: "Alive, with free slots, and claims none of the waiting jobs." }),
  isClockWrong: z.boolean().meta({
    description: "Its clock is more than 2 s off Redis's: it claims no jobs until its clock is right.",
  }),
  quiet: quietSchema.nullable().meta({
    description: "By whom and why it was told to claim no more jobs; null if it was not.",
  }),
  holds: z.array(z.object({ jobId: z.string(), type: z.string(), since: instant })),
  stillRuns: z.array(z.object({ jobId: z.string(), type: z.string(), toldAt: instant })).meta({
    description: "At most 20 of its runs that were told to stop at `toldAt`, and have not returned.",
  }),
});
export type WorkerOverview = Readonly<z.output<typeof workerOverviewSchema>>;

const guaranteeSchema = z.object({
  name: z.string(),
  holds: z.boolean(),
  detail: z
    .string()
    .meta({ description: "What was found; if it does not hold, what can happen and what to do." }),
});

const redisOverviewSchema = z.object({
  version: z.string(),
  usedBytes: z.int(),
  maxBytes: z.int().nullable().meta({ description: "Null if Redis has no limit." }),
  pingMs: z.number(),
  durability: z.string(),
  guarantees: z.array(guaranteeSchema),
});
export type RedisOverview = Readonly<z.output<typeof redisOverviewSchema>>;

const problemSchema = z.object({
  code: z
    .string()
    .nullable()
    .meta({ description: "With which code work is refused because of it; null if nothing is refused." }),
  message: z.string().meta({ description: "What was found, and what it can lead to." }),
  remedy: z.string(),
});
export type Problem = Readonly<z.output<typeof problemSchema>>;

const actBacklogSchema = z.object({
  running: z.int(),
  waiting: z.int(),
  oldestWaitingSince: instant.nullable().meta({ description: "Since when the next one could have run." }),
});

const samplePointSchema = z.object({
  at: instant,
  submitted: z.number(),
  completed: z.number(),
  failed: z.number(),
});
export type SamplePoint = Readonly<z.output<typeof samplePointSchema>>;

/** What happens now. Rates are per second, durations milliseconds. */
export const overviewSchema = z.object({
  at: instant,
  problems: z.array(problemSchema).meta({
    description:
      "What readiness and the doctor find bad, that which refuses work first; empty if all is well. Redis is checked each time, the rest every ten seconds.",
  }),
  types: z.array(typeOverviewSchema).meta({ description: "As the application declares them." }),
  queues: z.array(queueOverviewSchema),
  guarded: z
    .object({ inDoubt: z.int(), oldestDoubtSince: instant.nullable() })
    .meta({ description: "Effects that no job runs: those of guards. They are in no queue." }),
  acts: actBacklogSchema.meta({
    description:
      "Acts on many jobs that have not ended. They are in a queue of their own, which is no other list's.",
  }),
  history: z
    .array(samplePointSchema)
    .meta({ description: "Rates of all queues together, the oldest first." }),
  timeToStart: percentilesSchema.meta({ description: "From when a job could run to its first start." }),
  runTime: percentilesSchema,
  workers: z.array(workerOverviewSchema),
  store: redisOverviewSchema,
  hasOutbox: z.boolean().meta({
    description: "Whether the database that `DATABASE_URL` names has an outbox; checked every minute.",
  }),
});
export type Overview = Readonly<z.output<typeof overviewSchema>>;
