import { setTimeout as sleep } from "node:timers/promises";
import { fixCluster, startResharding } from "../../../test/support/open-slot.ts";
import type { Random } from "../../../test/support/random.ts";
import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { inLanes } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { apiSubmitter, type Submission } from "../lib/client.ts";
import { failOver, inSync, untilReplicated } from "../lib/cluster-roles.ts";
import { type Context, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { whereMovesAreForgotten } from "../lib/forgotten-move.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutViewLease } from "../lib/mutations.ts";
import type { Testbed } from "../lib/testbed.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const sleepers: Experiment = {
  number: 51,
  title: "Processes sleep while their queue moves and its master fails over and back",
  fault:
    "under load: API and workers are stopped for 6 to 16 s; meanwhile the queue's slot is half moved, and its master is failed over and back by hand, so that it " +
    "forgets the move; they wake with requests for used keys waiting; then `redis-cli --cluster fix`",
  mustHold: "no key with two jobs, no acknowledged job lost, no effect repeated; the fix ends",
  async run(context) {
    return await withServers(startRedisCluster({ args: NODE_TIMEOUT }), async (servers) => {
      const { trial, twice } = await slept(context, servers, "lab");
      const { controls, measured } = context.isQuick
        ? { controls: [], measured: [] }
        : await whereMovesAreForgotten(servers, () => control(context));
      const outcome = outcomeOf([trial], controls);
      return { ...outcome, measured, broken: [...outcome.broken, ...twoJobs(twice)] };
    });
  },
};

const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
/** Longer than any sleep, so that a lost lock is no cause. */
const ENV = { HOLDFAST_DURABILITY: "replica:1", HOLDFAST_LOCK_MS: "30000" };
const BACKLOG = 60;
const SLEEP_MS = [6_000, 16_000] as const;
/** A request of its own for each is in the sleeper's socket by then. */
const ARRIVED_MS = 300;
const LEFT_OPEN_MS = 1_500;

async function slept(context: Context, servers: RedisCluster, prefix: string, mutation?: Mutation) {
  const random = context.random.fork(prefix);
  let twice = 0;
  const inject = async (testbed: Testbed) => {
    twice += await sleepThroughMove(testbed, servers, random);
  };
  const times = mutation ? 3 : context.isQuick ? 1 : 5;
  const options = {
    servers,
    api: true,
    env: { ...ENV, HOLDFAST_PREFIX: prefix },
    ...(mutation && { mutation }),
  };
  const trial: Trial = await underLoad(context, { name: "asleep", times, inject }, options);
  return { trial, twice };
}

/** @returns how many used keys became a second job */
async function sleepThroughMove(testbed: Testbed, servers: RedisCluster, random: Random): Promise<number> {
  const shard = await inSync(await servers.shardOf(testbed.env.HOLDFAST_PREFIX ?? "", "default"));
  const masters = (await Promise.all(servers.shards.map(inSync))).map(({ master }) => master);
  const used = await addBacklog(testbed, random);
  const processes = [...testbed.workers, ...(testbed.api ? [testbed.api] : [])];
  const resharding = startResharding(masters.map(({ url }) => url));
  try {
    const sleepMs = random.between(...SLEEP_MS);
    const wakeAt = performance.now() + sleepMs;
    for (const each of processes) each.signal("SIGSTOP");
    const slot = await resharding.open(`${testbed.env.HOLDFAST_PREFIX}:{default}:`);
    await slot.moveShare(random.between(30, 80) / 100, (key) => key.endsWith(":epoch"));
    await Promise.all((await Promise.all(servers.shards.map(inSync))).map(untilReplicated));
    await failOver(shard);
    await failOver(shard);
    await sleep(Math.max(0, wakeAt - performance.now()));
    const answers = await askAtWaking(testbed, used);
    for (const each of processes) each.signal("SIGCONT");
    const others = (await Promise.all(answers)).filter((isOther) => isOther).length;
    await sleep(LEFT_OPEN_MS);
    await fixCluster(slot.sourcePort);
    return others;
  } finally {
    for (const each of processes) each.signal("SIGCONT");
    resharding.stop();
  }
}

async function addBacklog({ client }: Testbed, random: Random) {
  const from = client.acknowledged.length;
  const jobs = Array.from({ length: BACKLOG }, (_, index) => actJob(`backlog-${from}-${index}`, random));
  const ids = new Map<Submission, string>();
  await inLanes(jobs, 16, async (job) => {
    const { id } = (await client.submit(job)) ?? {};
    if (id !== undefined) ids.set(job, id);
  });
  return ids;
}

/** @returns for each used key whether the process answered with another job, once it is awake */
async function askAtWaking(
  { api }: Testbed,
  used: ReadonlyMap<Submission, string>,
): Promise<Promise<boolean>[]> {
  const { url } = (await api?.ready()) ?? {};
  const submit = apiSubmitter(async () => url ?? "");
  const answers = [...used].map(([job, id]) =>
    submit(job).then(
      (answer) => answer.id !== id,
      () => false,
    ),
  );
  await sleep(ARRIVED_MS);
  return answers;
}

function twoJobs(twice: number): string[] {
  return twice === 0 ? [] : [`${twice} used keys became a second job`];
}

/** Whether a key that moved is asked for first is chance. */
const CONTROL_TRIES = 3;

async function control(context: Context) {
  return await untilCaught(CONTROL_TRIES, async (time) => {
    // Of its own: in one that was mended before, it was not caught in six tries.
    const trial = withServers(startRedisCluster({ args: NODE_TIMEOUT }), (servers) =>
      slept(context, servers, `believing-${time}`, withoutViewLease),
    );
    const seen = trial.then(
      ({ trial, twice }) => [...outcomeOf([trial], []).broken.slice(0, 2), ...twoJobs(twice)],
      busyKey,
    );
    return controlOf(withoutViewLease.name, await seen);
  });
}

/** Two masters have a key of one name, so that the cluster cannot be fixed. */
function busyKey(error: unknown): string[] {
  if (error instanceof Error && /Target key exists|BUSYKEY/.test(error.message))
    return ["two masters had a key of one name"];
  throw error;
}
