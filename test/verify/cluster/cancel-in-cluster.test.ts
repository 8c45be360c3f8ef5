import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import type { RedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = anyJob({ timeoutMs: 120_000 });
const application = applicationOf(
  job.handler(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  ),
);

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

function pauseAllBut({ pid }: RedisServer): void {
  const servers = cluster.shards.flatMap(({ master, replica }) => [master, replica]);
  for (const other of servers.filter((server) => server.pid !== pid)) {
    process.kill(other.pid, "SIGSTOP");
    onTestFinished(() => void process.kill(other.pid, "SIGCONT"));
  }
}

it("cancels a running job at once while every other node of the cluster hangs", async () => {
  const service = createService(application, {
    REDIS_URL: cluster.url,
    // The replicas are to hang.
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOCK_MS: "120000",
    HOLDFAST_STOP_GRACE_MS: "100",
  });
  const { HOLDFAST_PREFIX: prefix } = service.env;
  const { master } = await cluster.shardOf(prefix, "default");
  const producer = await service.createProducer();
  const operator = await service.createOperator();
  await service.startWorker();
  const store = new Redis(master.url);
  onTestFinished(() => store.disconnect());
  await until("the worker listens at the queue's master", async () => {
    const channel = queueKeys(prefix, "default").cancelChannel;
    const [, listeners] = (await store.call("PUBSUB", "SHARDNUMSUB", channel)) as [string, number];
    return listeners === 1;
  });
  const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
  await untilState(producer, id, "active");
  pauseAllBut(master);

  const askedAt = performance.now();
  expect(await operator.cancel(id)).toBe("cancelling");
  expect(await untilState(producer, id, "failed")).toMatchObject({ error: { code: "CANCELLED" } });
  expect(performance.now() - askedAt).toBeLessThan(2_000);
});
