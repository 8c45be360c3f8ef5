import type { Doubt, JobStatus, StandaloneOperator } from "holdfast";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { findStuckDoubts } from "../../../src/desk/doubts/stuck-doubts.ts";
import { readLayouts } from "../../../src/desk/queues/layouts.ts";
import { openConnection, type RedisConnection } from "../../../src/platform/redis/connection.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { patiently } from "./inside/patiently.ts";
import type { Testbed } from "./testbed.ts";

/** A job as its client knows it. */
export interface WitnessedJob {
  readonly id: string;
  readonly status: JobStatus | undefined;
}

/** More than the sweep and a resolved job need. */
const WITHIN_MS = 60_000;
const LANES = 8;
const RESOLVED_MAX = 200;
/** A job that goes on can meet its own fault again, but not for ever. */
const TIMES_MAX = 10;

/**
 * Checks that no doubt is stuck (G10): each job in doubt is listed, each listed doubt can be resolved, each resolved job
 * runs to its end, and no completed job has an open effect.
 *
 * @returns a sentence for each thing that is stuck
 */
export async function findStuck(testbed: Testbed, jobs: readonly WitnessedJob[]): Promise<string[]> {
  if (testbed.workers.length + testbed.immune.length === 0) return [];
  const before = await stuckFor(testbed, WITHIN_MS);
  return before.length > 0
    ? before
    : [...(await resolveAll(testbed, jobs)), ...(await stuckFor(testbed, WITHIN_MS))];
}

/** @returns what is still stuck after `withinMs` */
async function stuckFor({ store, env }: Testbed, withinMs: number): Promise<string[]> {
  const redis = openConnection(store.url, "retrying", () => {});
  try {
    return await stuckIn(redis, env.HOLDFAST_PREFIX ?? "holdfast", withinMs);
  } finally {
    redis.disconnect();
  }
}

async function stuckIn(redis: RedisConnection, prefix: string, withinMs: number): Promise<string[]> {
  const layouts = await patiently(() => readLayouts(redis, prefix, ["default"]));
  const stores = openQueueStores({ client: redis, codec: createCodec([]) }, prefix, layouts);
  let found: string[] = [];
  const look = async () => {
    const each = stores.partitionsOf(["default"]).map((store) => patiently(() => findStuckDoubts(store, 0)));
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
    const fate = await resolvePatiently(operator, jobId, effect, as);
    const isAtRest = async () => fate === "gone" || isFinished(await testbed.client.status(jobId));
    return (await until(isAtRest, { withinMs: WITHIN_MS, everyMs: 50 }))
      ? []
      : [`${jobId} ${effect} was resolved (${fate}), and its job did not go on to its end`];
  };
  try {
    const stuck: string[] = [];
    const times = new Map<string, number>();
    for (;;) {
      const doubts = await patiently(() => operator.doubts(0, RESOLVED_MAX));
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

/** A try without an answer may have resolved it. */
export async function resolvePatiently(
  operator: StandaloneOperator,
  jobId: string,
  effect: string,
  as: "done" | "not-done",
): Promise<string> {
  let tries = 0;
  const resolve = () => {
    tries += 1;
    return operator.resolve(jobId, effect, { as, evidence: "the witness", by: "laboratory", confirm: true });
  };
  return await patiently(resolve).catch((error: { code?: string }) => {
    if (tries > 1 && error.code === "EFFECT_NOT_IN_DOUBT") return "resolved";
    throw error;
  });
}

/** Nothing more happens to it by itself. Another doubt would be listed, too. */
function isFinished(status: JobStatus | undefined): boolean {
  return status === undefined || status.state === "completed" || status.state === "failed";
}

/** Their effects leave a doubt on every run; resolved as not done, they would leave the next. */
const neverDone: ReadonlySet<string | undefined> = new Set(["probed", "refused"]);

function canNeverBe(job: WitnessedJob | undefined): boolean {
  return neverDone.has(job?.status?.type);
}
