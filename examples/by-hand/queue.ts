// The one way in, for the API, for programs without HTTP, and for the scheduler.
import { randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { submission } from "./jobs.ts";
import { clocks } from "./settings.ts";

export const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379", {
  maxRetriesPerRequest: null,
});
export const queue = new Queue("by-hand", { connection: redis });

/** Three tries, two seconds apart; a job that used them up stays `failed`, to be read. */
const retries = { attempts: 3, backoff: { type: "fixed", delay: 2_000 } };

// #region submit
/**
 * Adds a job, unless its key was used before.
 *
 * @throws ZodError where the input is wrong: nothing was stored
 */
export async function submit(input: unknown): Promise<{ id: string; duplicate: boolean }> {
  const { type, payload, idempotencyKey } = submission.parse(input);
  const id = randomUUID();
  const first = await redis.set(`key:${type}:${idempotencyKey}`, id, "PX", clocks.keyMs, "NX", "GET");
  if (first !== null && (await queue.getJob(first)) !== undefined) return { id: first, duplicate: true };
  // The key is new. Or its job is not there, because a process died between the two commands: then it is added now.
  const jobId = first ?? id;
  await queue.add(type, payload, { jobId, ...retries });
  return { id: jobId, duplicate: first !== null };
}
// #endregion
