import { once } from "node:events";
import { defineConfig, type Producer } from "holdfast";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openConnection } from "../../../src/platform/redis/connection.ts";
import type { Script } from "../../../src/platform/redis/script.ts";
import { openWriters } from "../../../src/platform/redis/writers.ts";
import { anyJob } from "../../support/application.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const LOCK_MS = 8_000;
const jobs = Array.from({ length: 8 }, (_, index) =>
  anyJob({ type: `type-${index}`, queue: `queue-${index}` }),
);
const application = defineConfig({
  jobs,
  handlers: async () => jobs.map((job) => job.handler(async ({ payload }) => payload)),
});

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster({ args: ["--cluster-node-timeout", "6000"] });
}, 120_000);
afterAll(() => cluster?.stop());

function paused(server: RedisServer): () => void {
  const { pid } = server;
  process.kill(pid, "SIGSTOP");
  const goOn = () => void process.kill(pid, "SIGCONT");
  onTestFinished(goOn);
  return goOn;
}

function connectTo(url: string) {
  const client = openConnection(url, "retrying", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

async function isMaster(server: RedisServer): Promise<boolean> {
  return String(await connectTo(server.url).info("replication")).includes("role:master");
}

/** One job in each queue. @returns when all have completed */
async function runAll(producer: Producer, key: string): Promise<void> {
  const receipts = jobs.map((job) =>
    until("the job is accepted", () =>
      producer.submit(job, null, { idempotencyKey: key }).catch(() => undefined),
    ),
  );
  for (const { id } of await Promise.all(receipts)) await untilState(producer, id, "completed");
}

describe("a master that is paused until it is replaced", withProcesses, () => {
  it("keeps no claim waiting for longer than a lock lasts: each queue's next job is claimed", async () => {
    const service = createService(application, {
      REDIS_URL: cluster.url,
      HOLDFAST_DURABILITY: "memory",
      HOLDFAST_LOCK_MS: String(LOCK_MS),
    });
    const producer = await service.createProducer();
    await service.startWorker();
    await runAll(producer, "before");
    const { master, replica } = await cluster.shardOf(service.env.HOLDFAST_PREFIX, "queue-0");

    const goOn = paused(master);
    await until("the replica is promoted", () => isMaster(replica));
    const promotedAt = performance.now();
    await runAll(producer, "after");

    // The commands that were under way, the new connection, and the machine.
    expect(performance.now() - promotedAt).toBeLessThan(3 * LOCK_MS);
    goOn();
  });

  it("leaves no connection attempt without an end", async () => {
    const clients = Array.from({ length: 8 }, () => connectTo(cluster.url));
    await Promise.all(clients.map((client) => until("connected", () => client.status === "ready")));
    const masters = [];
    for (const { master, replica } of cluster.shards)
      masters.push((await isMaster(master)) ? master : replica);
    for (const client of clients) {
      client.disconnect();
      await once(client, "end");
    }

    // Two of three: most ready checks ask one of them.
    const goOn = masters.slice(0, 2).map(paused);
    let endedCount = 0;
    let failedChecks = 0;
    for (const client of clients) {
      client.on("reconnecting", () => {
        failedChecks += 1;
      });
      const count = () => {
        endedCount += 1;
      };
      client.connect().then(count, count);
    }
    await until("a ready check has failed", () => failedChecks > 0);
    for (const each of goOn) each();
    await Promise.all(clients.map((client) => until("connected again", () => client.status === "ready")));

    await until("every attempt has ended", () => endedCount === clients.length);
  });
});

describe("a write that waits for replicas", withProcesses, () => {
  it("is sent again when its master died without any reply", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const client = connectTo(server.url);
    const { write, stop } = await openWriters(client, { level: "replica", replicas: 1 });
    onTestFinished(stop);
    const set: Script = { run: async () => undefined, command: (_client, [key = ""]) => ["set", key, "1"] };
    process.kill(server.pid, "SIGSTOP");

    const written = write(set, ["key"], []);
    await server.restart();

    expect(await written).toMatchObject({ reply: "OK" });
  });
});
