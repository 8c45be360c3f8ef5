import { z } from "zod";
import { parseRate, RATE_EXPECTED } from "../../core/define/queue-settings.ts";
import { queueSchema } from "../queues/queues.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";
import { expectPause, pauseReason } from "./pause-reason.ts";

const queue = queueSchema.meta({ [COMPONENT_NAME]: "Queue" });
const limitsSchema = z
  .strictObject({
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
  pauseQueue: change({
    ...one,
    id: "pauseQueue",
    method: "POST",
    path: "/queues/:name/pause",
    summary: "Pause a queue",
    description:
      "No further job starts, on any worker; running jobs go on. Jobs are still accepted. It stays paused until it is resumed.",
    errors: [...one.errors, "CHANGED_MEANWHILE"],
    input: pauseReason("the mail provider is down").extend({ expect: expectPause }),
    answer: queue.describe("It is paused."),
    run: ({ queues }, { params: { name }, input: { reason, expect }, by }) =>
      queues.pause(name, { reason, by }, expect),
  }),
  resumeQueue: change({
    ...one,
    id: "resumeQueue",
    method: "POST",
    path: "/queues/:name/resume",
    summary: "Resume a queue",
    errors: [...one.errors, "CHANGED_MEANWHILE"],
    input: z.strictObject({ expect: expectPause }).optional(),
    answer: queue.describe("It is not paused."),
    run: ({ queues }, { params: { name }, input, by }) => queues.resume(name, { by }, input?.expect),
  }),
  limitQueue: change({
    ...one,
    id: "limitQueue",
    method: "PUT",
    path: "/queues/:name/limits",
    summary: "Limit a queue",
    description:
      "In place of what the application declares, until it is called again; with no limit at all, the declared ones count again. In a queue with partitions, each partition gets an equal share.",
    input: limitsSchema,
    answer: queue.describe("The limits are in force."),
    run({ queues }, { params: { name }, input: { concurrency, rate }, by }) {
      const limits = {
        concurrency: concurrency ?? undefined,
        rate: rate == null ? undefined : parseRate(rate),
      };
      return queues.limit(name, limits, by);
    },
  }),
};
