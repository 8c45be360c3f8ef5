import { z } from "zod";
import { outgoingSchema } from "../../evidence/outgoing/outgoing.ts";
import { errorCodes } from "../../platform/errors/error-codes.ts";
import { jobStates } from "./job-state.ts";

/** `reserved`: it may be under way. `in-doubt`: nobody knows whether it happened. */
export const effectStates = ["reserved", "done", "in-doubt"] as const;

const instant = z.iso.datetime();

export const evidenceDescription =
  "Of an effect in doubt: what its process saw it send, at most 20, never a query, header or body. Empty: nothing was seen, which does not mean that nothing was sent.";

const heldSchema = z.object({
  lane: z.string().meta({ description: "Hash of the key that it is held by: equal in jobs of one key." }),
  behind: z.int().meta({ description: "How many jobs of its key are before it, those under way included." }),
  limit: z.int().meta({
    description: "How many jobs of its key may be under way at a time, or start in `windowMs`.",
  }),
  windowMs: z.int().optional().meta({ description: "Only where the starts of its key are limited." }),
  until: z.iso.datetime().optional().meta({
    description: "From when on it may start; only where starts are limited, and it is next.",
  }),
});

/** A run whose attempt has ended, and which goes on. */
const stillRunSchema = z.object({
  worker: z.string(),
  toldAt: z.iso.datetime().meta({ description: "When it was told to stop, by its signal." }),
  workerSeenAt: z.iso.datetime().meta({ description: "When the worker was seen last." }),
  isCertain: z.boolean().meta({
    description:
      "False where the worker has missed its heartbeats: it is dead, or cut off from Redis and may still run it.",
  }),
});

/** What a status shows of any job; features add members of their own. Times are ISO 8601 in UTC. */
export const ownStatusSchema = z.object({
  id: z.string(),
  type: z.string(),
  state: z.enum(jobStates),
  attemptsMade: z.int().meta({ description: "Attempts that ended, the successful one included." }),
  maxAttempts: z.int(),
  progress: z
    .unknown()
    .meta({ description: "The latest progress that the handler reported; null before that." }),
  submittedAt: instant,
  startedAt: instant.nullable().meta({ description: "When the latest attempt began." }),
  finishedAt: instant.nullable(),
  nextAttemptAt: instant.nullable().meta({ description: "When a delayed job is due." }),
  result: z.unknown().meta({ description: "What the handler returned; null until completed." }),
  error: z
    .object({
      code: z.enum(Object.keys(errorCodes) as (keyof typeof errorCodes)[]),
      message: z.string(),
      retryable: z.boolean().meta({ description: "Whether trying again can help." }),
    })
    .nullable()
    .meta({
      description:
        "Why the latest attempt failed; null once completed, unless the result cannot be decrypted.",
    }),
  held: heldSchema.optional().meta({
    description: "Only of a waiting job that waits for others of its key, or for the key's rate.",
  }),
  stillRuns: z.array(stillRunSchema).optional().meta({
    description:
      "Only of a job that was cancelled, or whose attempt took too long or lost its lock, and whose handler ignores its signal: where it still runs, until it has returned or its worker is gone. What it does still happens, whatever the state says.",
  }),
  curbedBy: z
    .object({ type: z.string().nullable(), key: z.string().nullable() })
    .optional()
    .meta({ description: "Only of a waiting job whose type or key an operator has paused or limited." }),
  effects: z
    .array(
      z.object({
        name: z.string().meta({ description: "With /index where the effect has one." }),
        state: z.enum(effectStates),
        at: instant.meta({ description: "Since when it is in this state." }),
        evidence: z.array(outgoingSchema).optional().meta({ description: evidenceDescription }),
      }),
    )
    .meta({ description: "The job's side effects, as far as they were begun." }),
  effectCounts: z.object({ reserved: z.int(), done: z.int(), "in-doubt": z.int() }).optional().meta({
    description:
      "Only in lists, of a job with more than 20 effects: how many are in each state. `effects` then has 20, first those that are not done.",
  }),
});

/** What features show of a job: each adds its members here by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface FeatureStatus {}

/** A job as anyone may see it. Times are ISO 8601 in UTC. */
export type JobStatus = Readonly<z.output<typeof ownStatusSchema>> & Readonly<FeatureStatus>;

/** Whether nothing more happens to it by itself. */
export function hasEnded({ state }: Pick<JobStatus, "state">): boolean {
  return state === "completed" || state === "failed";
}
