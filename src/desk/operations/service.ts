import { z } from "zod";
import { instantInQuery } from "../jobs/instant-schemas.ts";
import { historySchema } from "../overview/history.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";

const STEP = /^([1-9]\d{0,4})([mhd])$/;
const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

const historyQuerySchema = z.strictObject({
  queue: z.string().max(64).optional().meta({ description: "Without it: all queues." }),
  type: z.string().max(64).optional().meta({ description: "Without it: all job types." }),
  from: instantInQuery("Without it: three hours before `to`."),
  to: instantInQuery("Exclusive. Without it: now."),
  step: z
    .string()
    .regex(STEP, { error: 'expected minutes, hours or days, such as "5m", "1h" or "1d"' })
    .optional()
    .meta({
      description:
        'Such as "5m", "1h" or "1d"; whole hours for what is older than two days. Without it: what gives at most 240 points.',
    }),
});

const acceptanceSchema = z
  .strictObject({
    evidence: z.string().min(1).max(2_000).meta({
      description: "What was lost, as far as you know, and why work may continue. Kept in the audit log.",
    }),
  })
  .meta({
    examples: [{ evidence: "Restored the backup of 03:00; what came in since was compared by hand" }],
  });
const acceptedSchema = z.object({
  accepted: z.array(z.string()).meta({ description: "The queues that had lost data; none if all is well." }),
});

const typesSchema = z.object({ types: z.array(z.object({ type: z.string(), queue: z.string() })) });

export const serviceOperations = {
  types: read({
    id: "listTypes",
    path: "/types",
    summary: "List the job types",
    answer: typesSchema.describe("As the application declares them."),
    errors: [],
    returns: "types",
    run: async (operator) => ({ types: await operator.types() }),
  }),
  history: read({
    id: "readHistory",
    path: "/history",
    summary: "Read what happened",
    description:
      "Counts of attempts by outcome, and how long they waited and ran, by the minute for 2 days and by the hour for 15, whether or not anybody watched. With the starts of workers, pauses and bulk acts of that time.",
    input: historyQuerySchema,
    answer: { text: "The history.", schema: historySchema.meta({ [COMPONENT_NAME]: "History" }) },
    errors: ["INVALID_REQUEST", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"],
    run: (operator, { input: { step, ...wanted } }) =>
      operator.history({ ...wanted, stepMs: step === undefined ? undefined : stepMs(step) }),
  }),
  acceptLoss: change({
    id: "acceptLoss",
    method: "POST",
    path: "/store/accept-loss",
    summary: "Accept that Redis has lost data",
    description:
      "If Redis comes back with less than it had acknowledged, no job is accepted and no effect begins until an operator accepts the loss. Effects that were running at the time are in doubt either way.",
    input: acceptanceSchema,
    answer: acceptedSchema.describe("Every process continues within a second."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    returns: "accepted",
    run: async (operator, { input: { evidence }, by }) => ({
      accepted: await operator.acceptLoss({ evidence, by }),
    }),
  }),
};

function stepMs(step: string): number {
  const [, count, unit = "m"] = STEP.exec(step) ?? [];
  return Number(count) * (unitMs[unit] ?? 0);
}
