import { setTimeout as sleep } from "node:timers/promises";
import { startResharding } from "../../../test/support/open-slot.ts";
import { type RedisCluster, type Shard, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { inSync, killBoth, killMaster } from "../lib/cluster-roles.ts";
import { type Context, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutSlotGuard, withoutWait } from "../lib/mutations.ts";
import type { Testbed } from "../lib/testbed.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const cluster: Experiment = {
  number: 27,
  title: "A cluster loses servers, and moves a busy queue",
  fault:
    "under load: a master and its replica are killed and started on their files; the queue's slot moves to another master and back, with a " +
    "backlog in it and workers killed at random; with `replica:1`: the replica is dead, stopped, or promoted",
  mustHold:
    "no acknowledged job lost, no effect repeated, no doubt stuck, each call answered in under 2 s; nothing is acknowledged that the replica " +
    "does not have",
  async run(context) {
    const [restarts, moves, replicas] = await Promise.all([
      restarted(context),
      moved(context),
      replicated(context),
    ]);
    const trials = [...restarts, moves.trial, ...replicas.trials];
    const outcome = outcomeOf(trials, [...moves.controls, ...replicas.controls]);
    return { ...outcome, broken: [...outcome.broken, ...moves.broken, ...replicas.broken] };
  },
};

const GUARD = ["--min-replicas-to-write", "1"];
const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
const LOCK = { HOLDFAST_LOCK_MS: "8000" };

async function restarted(context: Context): Promise<Trial[]> {
  const random = context.random.fork("restarted");
  return await withServers(
    startRedisCluster({ args: [...NODE_TIMEOUT, ...GUARD] }),
    async (servers: RedisCluster) => {
      const shard = await servers.shardOf("holdfast", "default");
      const disturbance = {
        name: "master and replica killed",
        times: context.isQuick ? 1 : 20,
        inject: () => killBoth(shard, random.between(0, 3_000)),
      };
      return [await underLoad(context, disturbance, { servers, env: LOCK })];
    },
  );
}

/** Short, so that the jobs of killed workers are found soon. */
const SHORT_LOCK = { HOLDFAST_LOCK_MS: "2000" };

async function moved(context: Context) {
  return await withServers(startRedisCluster({ args: GUARD }), async (servers: RedisCluster) => {
    const move = async (prefix: string, times: number, mutation?: Mutation) => {
      const move: Move = { servers, context, absent: 0 };
      const inject = (testbed: Testbed) => moveSlot(testbed, move);
      const env = { ...SHORT_LOCK, HOLDFAST_PREFIX: prefix };
      const options = { servers, env, ...(mutation && { mutation }) };
      const trial = await underLoad(context, { name: "slot moved, workers killed", times, inject }, options);
      return { trial, absent: move.absent };
    };
    const { trial, absent } = await move("lab", context.isQuick ? 2 : 20);
    const control = await untilCaught(CONTROL_TRIES, async (time) => {
      const seen = move(`bare-${time}`, 1, withoutSlotGuard).then(
        ({ absent }) => absentJobs(absent),
        busyKey,
      );
      return controlOf("the key that is always absent", await seen);
    });
    return {
      trial,
      broken: absentJobs(absent),
      controls: [control],
    };
  });
}

/** Whether a script meets a key that is away is chance. */
const CONTROL_TRIES = 12;

function absentJobs(absent: number): string[] {
  return absent === 0 ? [] : [`${absent} times an acknowledged job looked absent while its slot moved`];
}

/** Two masters have a key of one name, so the move cannot go on. */
function busyKey(error: unknown): string[] {
  if (error instanceof Error && error.message.includes("BUSYKEY"))
    return [`the move was aborted: ${error.message}`];
  throw error;
}

interface Move {
  readonly servers: RedisCluster;
  readonly context: Context;
  /** How often a job that exists was not found. */
  absent: number;
}

const BACKLOG = 150;
/** However many keys there are. */
const STEPS = 25;
/** The share of these steps in which a worker is killed. */
const KILLED = 0.12;

/** Moves the queue's slot with a backlog in it, kills workers, and reads jobs meanwhile. */
async function moveSlot(testbed: Testbed, move: Move): Promise<void> {
  const { random } = move.context;
  const from = testbed.client.acknowledged.length;
  const backlog = Array.from({ length: BACKLOG }, (_, index) => actJob(`backlog-${from}-${index}`, random));
  await inLanes(backlog, 16, async (job) => void (await testbed.client.submit(job)));
  const resharding = startResharding(move.servers.shards.map(({ master }) => master.url));
  const reading = await startReading(testbed, move);
  try {
    const slot = await resharding.open(`${testbed.env.HOLDFAST_PREFIX}:{default}:`);
    const atOnce = Math.ceil((await slot.countKeys()) / STEPS);
    while ((await slot.moveKeys(atOnce)) > 0) {
      if (random.next() < KILLED) random.pick(testbed.workers).signal("SIGKILL");
      await sleep(random.between(0, 60));
    }
    await slot.close();
  } finally {
    resharding.stop();
    await reading.stop();
  }
}

const READERS = 4;

/** Reads the status of acknowledged jobs until it is stopped. */
async function startReading(testbed: Testbed, move: Move) {
  const { createProducer, application } = await testbed.installation.library();
  const env = { ...testbed.env, REDIS_URL: testbed.store.url };
  const producer = await createProducer(application, env);
  const { acknowledged } = testbed.client;
  let isOver = false;
  const chosen = (function* () {
    while (!isOver) yield acknowledged[move.context.random.between(0, acknowledged.length - 1)]?.id ?? "";
  })();
  const reading = inLanes(chosen, READERS, async (id) => {
    const isAbsent = await producer.status(id).then(
      (status) => status === undefined,
      () => false,
    );
    if (isAbsent) move.absent += 1;
    await sleep(READ_PAUSE_MS);
  });
  return {
    async stop() {
      isOver = true;
      await reading;
      await producer.stop();
    },
  };
}

const READ_PAUSE_MS = 20;

const REPLICA = { ...LOCK, HOLDFAST_DURABILITY: "replica:1" };

/** A way to lose a replica, and to get it back. */
interface Loss {
  readonly name: string;
  lose(shard: Shard): Promise<void>;
  restore(shard: Shard): Promise<void>;
}

const losses: readonly Loss[] = [
  {
    name: "replica dead",
    lose: ({ replica }) => replica.kill(),
    restore: ({ replica }) => replica.restart(),
  },
  {
    name: "replica stopped",
    lose: async ({ replica }) => void process.kill(replica.pid, "SIGSTOP"),
    restore: async ({ replica }) => void process.kill(replica.pid, "SIGCONT"),
  },
];

async function replicated(context: Context) {
  const times = context.isQuick ? 1 : 10;
  return await withServers(startRedisCluster({ args: NODE_TIMEOUT }), async (servers: RedisCluster) => {
    const shard = await servers.shardOf("holdfast", "default");
    const trials: Trial[] = [];
    let unheld = 0;
    const losing = async (loss: Loss, often: number, mutation?: Mutation) => {
      let acknowledged = 0;
      const inject = async (testbed: Testbed) => {
        acknowledged += await acknowledgedWithout(testbed, await inSync(shard), loss);
      };
      const env = { ...REPLICA, HOLDFAST_PREFIX: `${loss.name.replace(" ", "-")}-${mutation?.name ?? ""}` };
      const options = { servers, env, ...(mutation && { mutation }) };
      const trial = await underLoad(context, { name: loss.name, times: often, inject }, options);
      return { trial, acknowledged };
    };
    for (const loss of losses) {
      const { trial, acknowledged } = await losing(loss, times);
      trials.push(trial);
      unheld += acknowledged;
    }
    const promote = { name: "replica promoted", times, inject: () => killMaster(shard) };
    const env = { ...REPLICA, HOLDFAST_PREFIX: "promoted" };
    if (!context.isQuick) trials.push(await underLoad(context, promote, { servers, env }));
    const [dead] = losses as [Loss];
    const { acknowledged } = await losing(dead, 1, withoutWait);
    const broken = unheld === 0 ? [] : [`${unheld} jobs were acknowledged that no replica had`];
    const seen = acknowledged === 0 ? [] : [`${acknowledged} jobs acknowledged while the replica was dead`];
    return { trials, broken, controls: [controlOf("WAIT", seen)] };
  });
}

/** A stopped process may still run for a moment. */
const LOST_AFTER_MS = 200;
/** As many submissions get no answer while nothing is acknowledged. */
const REFUSED = 20;
const DECIDED_WITHIN_MS = 60_000;

/** @returns how many jobs were submitted and acknowledged while the replica was away */
async function acknowledgedWithout({ client }: Testbed, shard: Shard, { lose, restore }: Loss) {
  await lose(shard);
  await sleep(LOST_AFTER_MS);
  const from = Date.now();
  const enough = client.unanswered + REFUSED;
  const acknowledged = () => client.acknowledged.filter(({ triedAt }) => triedAt > from).length;
  await until(() => client.unanswered >= enough || acknowledged() >= REFUSED, {
    withinMs: DECIDED_WITHIN_MS,
  });
  const count = acknowledged();
  await restore(shard);
  await inSync(shard);
  return count;
}
