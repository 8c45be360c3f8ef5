import type { Doubt, JobStatus } from "holdfast";
import { findStuckDoubts } from "../../src/effect/stuck-doubts.ts";
import { readLayouts } from "../../src/queue/layouts.ts";
import { openQueueStores } from "../../src/queue/queue-store.ts";
import { createCodec } from "../../src/redis/codec.ts";
import { openConnection, type RedisConnection } from "../../src/redis/connection.ts";
import type { Testbed } from "./testbed.ts";
import { inLanes, until } from "./waiting.ts";

/** A job as its client knows it. */
export interface WitnessedJob {
  readonly id: string;
  readonly status: JobStatus | undefined;
}

/** More than the sweep and a resolved job need. */
const WITHIN_MS = 30_000;
const LANES = 8;
const RESOLVED_MAX = 200;
/** A job that goes on can meet its own fault again, but not for ever. */
const TIMES_MAX = 10;

/**
 * Checks that no doubt is stuck (G10): each job in doubt is listed, each listed doubt can be resolved, each resolved job
 * runs to its end, and no completed job has an open effect.
 *
 * @param withinMs time until that must be true, in milliseconds @default 30000
 * @returns a sentence for each thing that is stuck
 */
export async function findStuck(
  testbed: Testbed,
  jobs: readonly WitnessedJob[],
  withinMs = WITHIN_MS,
): Promise<string[]> {
  if (testbed.workers.length + testbed.immune.length === 0) return [];
  const redis = openConnection(testbed.store.url, "retrying", () => {});
  const prefix = testbed.env.HOLDFAST_PREFIX ?? "holdfast";
  try {
    const before = await stuckFor(redis, prefix, withinMs);
    return before.length > 0
      ? before
      : [...(await resolveAll(testbed, jobs)), ...(await stuckFor(redis, prefix, withinMs))];
  } finally {
    redis.disconnect();
  }
}

/** @returns what is still stuck after `withinMs` */
async function stuckFor(redis: RedisConnection, prefix: string, withinMs: number): Promise<string[]> {
  const layouts = await readLayouts(redis, prefix, ["default"]);
  const stores = openQueueStores({ client: redis, codec: createCodec([]) }, prefix, layouts);
  let found: string[] = [];
  const look = async () => {
    const each = stores.partitionsOf(["default"]).map((store) => findStuckDoubts(store, 0));
    found = (await Promise.all(each)).flatMap(({ unlisted, stale, open }) => [
      ...unlisted.map((id) => `${id} says in doubt, and nothing of it can be resolved`),
      ...stale.map((member) => `${member} is listed, and cannot be resolved`),
      ...open.map((id) => `${id} has completed with an open effect`),
    ]);
    return found.length === 0;
  };
  await until(look, { withinMs, everyMs: 250 });
  return found;
}

/** Resolves doubts as the witness knows them, until none is left. A resolved job may hit its injected fault and be in doubt again. */
async function resolveAll(testbed: Testbed, jobs: readonly WitnessedJob[]): Promise<string[]> {
  const { application, createOperator } = await testbed.installation.library();
  const operator = await createOperator(application, { ...testbed.env, REDIS_URL: testbed.store.url });
  const known = new Map(jobs.map((job) => [job.id, job]));
  const resolveOne = async ({ jobId, effect, effectKey }: Doubt) => {
    const isDone = canNeverBe(known.get(jobId)) || testbed.witnessed().some(({ key }) => key === effectKey);
    const as = isDone ? "done" : "not-done";
    const fate = await operator.resolve(jobId, effect, { as, evidence: "the witness", by: "laboratory" });
    const isAtRest = async () => fate === "gone" || isFinished(await testbed.client.status(jobId));
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

/** Nothing more happens to it by itself. Another doubt would be listed, too. */
function isFinished(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

/** Its effect leaves a doubt on every run; resolved as not done, it would leave the next. */
function canNeverBe(job: WitnessedJob | undefined): boolean {
  return job?.status?.type === "probed";
}
