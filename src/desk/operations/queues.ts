import { z } from "zod";
import type { CurbOf } from "../../core/bullmq/curb/curb-name.ts";
import { parseRate, RATE_EXPECTED } from "../../core/define/queue-settings.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { crowdSchema } from "../queues/crowd.ts";
import { curbOf, curbOfShape, type SeenSince } from "../queues/curbs.ts";
import { type QueueOperator, queueSchema } from "../queues/queues.ts";
import { overSchema, parseOver } from "../queues/ramps.ts";
import { expectLimits, expectPause, pauseReason } from "./act-inputs.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";

const queue = queueSchema.meta({ [COMPONENT_NAME]: "Queue" });
const limitsSchema = z
  .strictObject({
    ...curbOfShape,
    expect: expectLimits,
    concurrency: z.int().min(1).max(1_000_000).nullish(),
    rate: z
      .string()
      .refine((text) => parseRate(text) !== undefined, { error: `expected ${RATE_EXPECTED}` })
      .nullish(),
  })
  .meta({ examples: [{ concurrency: 5, rate: "10/1s" }] });

const one = {
  params: { name: "The queue's name." },
  errors: ["INVALID_REQUEST", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"],
} as const;

interface WantedLimit {
  readonly concurrency: number | null | undefined;
  readonly rate: string | null | undefined;
  readonly by: string;
  readonly seen: SeenSince | undefined;
}

function limitOne(queues: QueueOperator, name: string, of: CurbOf, wanted: WantedLimit) {
  const { concurrency, rate, by, seen } = wanted;
  if (rate != null) throw malformed([{ pointer: "/rate", message: "expected none for a type or a key" }]);
  if (concurrency == null) return queues.letGo(name, of, { by }, seen);
  return queues.curb(name, of, { concurrency, by, reason: `${concurrency} at a time` }, seen);
}

export const queueOperations = {
  queues: read({
    id: "listQueues",
    path: "/queues",
    summary: "List queues",
    answer: z.object({ queues: z.array(queue) }).describe("Every queue of the application."),
    errors: ["STORE_UNAVAILABLE"],
    returns: "queues",
    run: async ({ queues }) => ({ queues: await queues.list() }),
  }),
  crowd: read({
    ...one,
    id: "readCrowd",
    path: "/queues/:name/crowd",
    summary: "Read who has how many jobs of a queue",
    description:
      "By type and by key, those with the most waiting jobs first, at the same cost at any depth. Only keys count whose contract labels them.",
    answer: crowdSchema.describe("Types and keys, each with its jobs."),
    errors: ["QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"],
    run: ({ queues }, { params: { name } }) => queues.crowd(name),
  }),
  pauseQueue: change({
    ...one,
    id: "pauseQueue",
    method: "POST",
    path: "/queues/:name/pause",
    summary: "Pause a queue",
    description:
      "No further job starts, on any worker; running jobs go on. Jobs are still accepted. It stays paused until it is resumed. With `type` or `key`, only jobs of that type or key are held, in place of a limit that it has.",
    errors: [...one.errors, "UNKNOWN_JOB_TYPE", "CHANGED_MEANWHILE"],
    input: pauseReason("the mail provider is down").extend({ ...curbOfShape, expect: expectPause }),
    answer: queue.describe("It is paused."),
    run({ queues }, { params: { name }, input: { reason, expect, ...which }, by }) {
      const of = curbOf(which);
      return of === undefined
        ? queues.pause(name, { reason, by }, expect)
        : queues.curb(name, of, { reason, by }, expect?.pausedSince);
    },
  }),
  resumeQueue: change({
    ...one,
    id: "resumeQueue",
    method: "POST",
    path: "/queues/:name/resume",
    summary: "Resume a queue",
    errors: [...one.errors, "UNKNOWN_JOB_TYPE", "CHANGED_MEANWHILE"],
    description:
      "With `type` or `key`, that type or key is let go, whether it was paused or limited: its held jobs line up again. With `over`, the queue starts slowly: one job at a time at first, and in the end as many as its workers have slots. Another resume replaces that, and a pause ends it. A queue that is at full speed stays as it is, and nothing is recorded.",
    input: z.strictObject({ ...curbOfShape, over: overSchema.optional(), expect: expectPause }).optional(),
    answer: queue.describe("It is not paused."),
    run({ queues }, { params: { name }, input: { over, expect, ...which } = {}, by }) {
      const of = curbOf(which);
      if (of !== undefined && over !== undefined)
        throw malformed([{ pointer: "/over", message: "expected none for a type or a key" }]);
      return of === undefined
        ? queues.resume(name, { by, overMs: over === undefined ? undefined : parseOver(over) }, expect)
        : queues.letGo(name, of, { by }, expect?.pausedSince);
    },
  }),
  limitQueue: change({
    ...one,
    id: "limitQueue",
    method: "PUT",
    path: "/queues/:name/limits",
    summary: "Limit a queue",
    description:
      "In place of what the application declares, until it is called again; with no limit at all, the declared ones count again. With `type` or `key`, only so many jobs of that type or key run at a time (`concurrency` alone); without it, it is let go. In a queue with partitions, each partition gets an equal share.",
    input: limitsSchema,
    answer: queue.describe("The limits are in force."),
    errors: [...one.errors, "UNKNOWN_JOB_TYPE", "CHANGED_MEANWHILE"],
    run({ queues }, { params: { name }, input: { concurrency, rate, expect, ...which }, by }) {
      const of = curbOf(which);
      const seen = expect?.limitedSince;
      if (of !== undefined) return limitOne(queues, name, of, { concurrency, rate, by, seen });
      const limits = {
        concurrency: concurrency ?? undefined,
        rate: rate == null ? undefined : parseRate(rate),
      };
      return queues.limit(name, limits, by, seen);
    },
  }),
};
