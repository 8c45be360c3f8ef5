import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Producer } from "holdfast";
import { describe, expect, it } from "vitest";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { isRedisOf, readNodes } from "../../../src/platform/redis/cluster/node-file.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { anyJob } from "../../support/application.ts";
import { withProcesses } from "../../support/processes.ts";
import { startRedisCluster } from "../../support/redis-cluster.ts";
import { startSentinelSet } from "../../support/redis-sentinel.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { askServer, hasReplicas, isMaster, replaceNodes } from "../../support/replace-nodes.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const job = anyJob();
const application = applicationOf(job.handler(async ({ payload }) => payload));

/** Submits until it is accepted. @returns once it has completed */
async function runOne(producer: Producer, key: string): Promise<void> {
  const { id } = await until("the job is accepted", () =>
    producer.submit(job, null, { idempotencyKey: key }).catch(() => undefined),
  );
  await untilState(producer, id, "completed");
}

function serviceOf(url: string, dataDir: string, variables: Variables = {}) {
  return createService(application, { REDIS_URL: url, HOLDFAST_DATA_DIR: dataDir, ...variables });
}

/** No replica moves to another master, which a busy machine made look as if it had none. */
const CLUSTER_ARGS = [
  ...["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"],
  ...["--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no"],
];

/** Servers that outlive what is opened after them. */
async function startServers(count: number, args: readonly string[]): Promise<RedisServer[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => startRedisServer({ args })));
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  return servers;
}

// Both wait for promotions: they wait together.
describe.concurrent("a Redis Cluster of which every node was replaced while roles ran", withProcesses, () => {
  it("is used by the same roles, also after the next death of a master, and by roles that start with the old addresses", async () => {
    const cluster = await startRedisCluster({ args: CLUSTER_ARGS });
    onTestFinished(() => cluster.stop());
    const fresh = await startServers(6, CLUSTER_ARGS);
    const dataDir = await temporaryFolder();
    const service = serviceOf(cluster.url, dataDir, { HOLDFAST_STUCK_AFTER_MS: "10000" });
    const producer = await service.createProducer();
    const worker = await service.startWorker();
    let stuck: unknown;
    worker.failed?.catch((error: unknown) => {
      stuck = error;
    });
    await runOne(producer, "before");

    const untilRemembered = () =>
      until("the new nodes are remembered", () => {
        const { addresses } = readNodes(dataDir, cluster.url);
        return fresh.every(({ port }) => addresses.some((address) => address.port === port));
      });
    const pairs = await replaceNodes(cluster, fresh, untilRemembered);
    await runOne(producer, "replaced");
    const settings = readSettings(service.env);
    for (const [master, replica] of pairs) {
      await master.kill();
      await until("the replica is master", () => isMaster(replica));
      await master.restart();
      await until("they are in sync", () => hasReplicas(replica, 1));
    }
    for (let turn = 0; turn < 5; turn += 1) await runOne(producer, `after-${turn}`);
    expect(stuck).toBeUndefined();

    const later = await serviceOf(cluster.url, dataDir, service.env).createProducer();
    await runOne(later, "later");
    const foreign = await startRedisCluster();
    onTestFinished(() => foreign.stop());
    const elsewhere = await reachRedis({ ...settings, REDIS_URL: foreign.url }, "fail-fast");
    onTestFinished(() => elsewhere.stop());
    expect(await isRedisOf(readNodes(dataDir, cluster.url), elsewhere.client)).toBe(false);
  });
});

describe.concurrent(
  "a Sentinel set of which every sentinel was replaced while roles ran",
  withProcesses,
  () => {
    it("is left by no role when the next master is promoted, and found by roles that start with the old addresses", async () => {
      const set = await startSentinelSet();
      onTestFinished(() => set.stop());
      const dataDir = await temporaryFolder();
      const service = serviceOf(set.url, dataDir);
      const producer = await service.createProducer();
      await service.startWorker();
      await runOne(producer, "before");
      const master = await set.master();
      const folder = await temporaryFolder();
      const fresh = await Promise.all(
        [0, 1, 2].map(async (index) => {
          const sentinelFile = join(folder, `${index}.conf`);
          const lines = [
            `dir ${folder}`,
            `sentinel monitor main ${master.host} ${master.port} 2`,
            "sentinel down-after-milliseconds main 1500",
            "sentinel failover-timeout main 6000",
          ];
          await writeFile(sentinelFile, `${lines.join("\n")}\n`);
          return await startRedisServer({ sentinelFile });
        }),
      );
      onTestFinished(async () => void (await Promise.all(fresh.map((server) => server.stop()))));
      const knowAll = async () =>
        (await Promise.all(fresh.map((server) => askServer(server, "SENTINEL", "MASTER", "main")))).every(
          (text) => /num-other-sentinels,5\b/.test(text) && /num-slaves,2\b/.test(text),
        );
      await until("they know the others", knowAll);
      await until("they are remembered", () => {
        const { addresses } = readNodes(dataDir, set.url);
        return fresh.every(({ port }) => addresses.some((address) => address.port === port));
      });
      await Promise.all(set.sentinels.map((server) => server.kill()));
      for (const server of fresh) await askServer(server, "SENTINEL", "RESET", "main");
      await until("they know each other alone", async () =>
        (await Promise.all(fresh.map((server) => askServer(server, "SENTINEL", "MASTER", "main")))).every(
          (text) => /num-other-sentinels,2\b/.test(text) && /num-slaves,2\b/.test(text),
        ),
      );

      await master.kill();
      await until("another is promoted", async () => {
        const [sentinel] = fresh as [RedisServer];
        return !(await askServer(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")).endsWith(
          `,${master.port}`,
        );
      });
      await master.restart();
      await runOne(producer, "after");
      const later = await serviceOf(set.url, dataDir, service.env).createProducer();
      await runOne(later, "later");
    });
  },
);
