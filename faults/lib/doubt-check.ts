import type { Doubt, JobStatus } from "holdfast";
import { Redis } from "ioredis";
import { findStuckDoubts } from "../../src/effect/doubt-invariant.ts";
import type { Bench } from "./bench.ts";
import { inLanes, until } from "./waiting.ts";

/** A job that a client knows. */
export interface WitnessedJob {
  readonly id: string;
  readonly status: JobStatus | undefined;
}

/** What the sweep mends, and what a resolved job needs to end, takes no longer. */
const WITHIN_MS = 30_000;
const LANES = 8;
const RESOLVED_MAX = 200;
/** A job that goes on can meet its own fault again, but not for ever. */
const TIMES_MAX = 10;

/**
 * Checks that nothing about a doubt is stuck (G10): each job that says in doubt is listed, each listed doubt can be resolved,
 * as the witness knows it, each job that was resolved goes on to its end, and nothing completed has an open effect.
 *
 * @param withinMs how long it may be so, in milliseconds @default 30000
 * @returns a sentence for each thing that is stuck
 */
export async function findStuck(
  bench: Bench,
  jobs: readonly WitnessedJob[],
  withinMs = WITHIN_MS,
): Promise<string[]> {
  if (bench.workers.length + bench.immune.length === 0) return [];
  const redis = new Redis(bench.store.url);
  try {
    const before = await stuckFor(redis, withinMs);
    return before.length > 0
      ? before
      : [...(await resolveAll(bench, jobs)), ...(await stuckFor(redis, withinMs))];
  } finally {
    redis.disconnect();
  }
}

/** @returns what is still stuck after the time that the sweep may take */
async function stuckFor(redis: Redis, withinMs: number): Promise<string[]> {
  let found: string[] = [];
  const look = async () => {
    const { unlisted, stale, open } = await findStuckDoubts(redis, "holdfast", "default", 0);
    found = [
      ...unlisted.map((id) => `${id} says in doubt, and nothing of it can be resolved`),
      ...stale.map((member) => `${member} is listed, and cannot be resolved`),
      ...open.map((id) => `${id} has completed with an open effect`),
    ];
    return found.length === 0;
  };
  await until(look, { withinMs, everyMs: 250 });
  return found;
}

/**
 * Resolves what is in doubt, as the witness knows it, until nothing is. A job that goes on can be hit by the fault that is its
 * own, and be in doubt once more.
 */
async function resolveAll(bench: Bench, jobs: readonly WitnessedJob[]): Promise<string[]> {
  const { application, createOperator } = await bench.installation.library();
  const operator = await createOperator(application, { ...bench.env, REDIS_URL: bench.store.url });
  const known = new Map(jobs.map((job) => [job.id, job]));
  const resolveOne = async ({ jobId, effect, effectKey }: Doubt) => {
    const isDone = canNeverBe(known.get(jobId)) || bench.told().some(({ key }) => key === effectKey);
    const as = isDone ? "done" : "not-done";
    const fate = await operator.resolve(jobId, effect, { as, evidence: "the witness", by: "laboratory" });
    const isAtRest = async () => fate === "gone" || isFinished(await bench.client.status(jobId));
    return (await until(isAtRest, { withinMs: WITHIN_MS, everyMs: 50 }))
      ? []
      : [`${jobId} ${effect} was resolved (${fate}), and its job did not go on to its end`];
  };
  try {
    const stuck: string[] = [];
    const times = new Map<string, number>();
    for (;;) {
      const doubts = await operator.doubts(0, RESOLVED_MAX);
      if (doubts.length === 0) return stuck;
      for (const { jobId, effect } of doubts) {
        const time = (times.get(`${jobId} ${effect}`) ?? 0) + 1;
        if (time > TIMES_MAX) return [...stuck, `${jobId} ${effect} was in doubt again ${TIMES_MAX} times`];
        times.set(`${jobId} ${effect}`, time);
      }
      await inLanes(doubts, LANES, async (doubt) => void stuck.push(...(await resolveOne(doubt))));
    }
  } finally {
    await operator.stop();
  }
}

/** Nothing happens to it any more by itself: another doubt of it is listed, too. */
function isFinished(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

/** Its effect leaves a doubt each time it runs: called not done, it would leave the next. */
function canNeverBe(job: WitnessedJob | undefined): boolean {
  return job?.status?.type === "probed";
}
