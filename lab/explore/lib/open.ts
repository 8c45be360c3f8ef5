import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { openMachine } from "./machine.ts";
import { Outside } from "./outside.ts";
import { Laboratory, type Scenario } from "./run.ts";
import { Store } from "./store.ts";
import { takeOver, world } from "./world.ts";

/** A larger hash has its fields in an order that Redis draws at its start: what is the same would look different. */
const IN_ORDER = ["--hash-max-listpack-value", "65536"];

/** The Redis of this process, and what opens scenarios on it. */
export async function openRedis() {
  const directory = await mkdtemp(path.join(tmpdir(), "holdfast-explore-"));
  const socket = path.join(directory, "socket");
  const args = ["--unixsocket", socket, "--databases", "2", ...IN_ORDER];
  const server = await startRedisServer({ directory, args });
  const store = new Store(socket);
  world.startedAt = Math.ceil(Date.now() / 1_000) * 1_000;
  return {
    store,
    /** Submits the job of a scenario, by the real path. */
    async open(scenario: Scenario): Promise<Laboratory> {
      await store.redis.flushall();
      // What it has acknowledged is on disk; afterwards nothing has to be.
      await store.redis.config("SET", "appendonly", "yes");
      while (!(await store.redis.info("persistence")).includes("aof_rewrite_in_progress:0")) await pause(10);
      const outside = new Outside(scenario);
      const machine = await openMachine(server.url, scenario.job, outside);
      const { names, job } = machine;
      // The queue's secret and its epoch are there in any case.
      const submitted = await machine.submit();
      const id = job.isSubmitted === false || job.isGuarded === true ? "" : submitted;
      await machine.stop();
      if (id === "") await forgetJob(store.redis);
      if (job.isGuarded === true) await machine.connect(store.redis);
      await store.redis.config("SET", "appendonly", "no");
      const workers = [...scenario.workers, "h"].flatMap((name) => [world.startedAt, name]);
      await store.redis.zadd(`${names.start}workers:seen`, ...workers);
      const start = await store.see({ ...names, id });
      takeOver();
      return new Laboratory(store, machine, id, start, scenario);
    },
    async stop(): Promise<void> {
      store.redis.disconnect();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function forgetJob(redis: Redis): Promise<void> {
  const keys = await redis.keys("*");
  await redis.del(...keys.filter((key) => !/secret|epoch|queues$/.test(key)));
}
