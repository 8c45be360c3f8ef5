import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { diagnoseMasters } from "../../../src/desk/doctor/doctor-redis.ts";
import { diagnoseTopology } from "../../../src/desk/doctor/doctor-topology.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import type { Durability } from "../../../src/platform/config/variables.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import {
  type ConnectionMode,
  openConnection,
  serversOf,
  whenReady,
} from "../../../src/platform/redis/connection.ts";
import { redisNow } from "../../../src/platform/redis/fitness/clock.ts";
import { readInfo } from "../../../src/platform/redis/fitness/info.ts";
import { checkPromotion, promotionIn } from "../../../src/platform/redis/fitness/replica-checks.ts";
import { replicasOf } from "../../../src/platform/redis/replicas/replica-watch.ts";
import { application } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import type { RedisServer } from "../../support/redis-server.ts";
import { createService, testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

const masters = () => cluster.shards.map(({ master }) => master);
const environment = (variables = {}) => testEnvironment({ REDIS_URL: cluster.url, ...variables });

function connectTo(server: RedisServer): Redis {
  const client = new Redis(server.url);
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** Changes a setting of these servers until the test ends. */
async function configure(servers: readonly RedisServer[], name: string, value: string, after: string) {
  const clients = servers.map(connectTo);
  for (const client of clients) await client.config("SET", name, value);
  onTestFinished(async () => {
    for (const client of clients) await client.config("SET", name, after);
  });
}

async function connect(mode: ConnectionMode) {
  const client = openConnection(cluster.url, mode, () => {});
  onTestFinished(() => client.disconnect());
  await whenReady(client, 30_000);
  return client;
}

async function reach(variables = {}) {
  const settings = readSettings(environment(variables));
  const { client, stop } = await reachRedis(settings, "fail-fast");
  onTestFinished(() => stop());
  return { client, settings };
}

describe("a Redis Cluster", withProcesses, () => {
  it("is refused at durability disk, because its masters have replicas, and asks for them where none is configured", async () => {
    const start = async (durability?: string) => {
      await using _ = await createProducer(
        application,
        environment(durability && { HOLDFAST_DURABILITY: durability }),
      );
    };

    await expect(start("disk")).rejects.toMatchObject({
      code: "STORE_UNFIT",
      message: expect.stringMatching(/^promotion: .*, found a cluster whose masters have replicas; /),
    });
    await start();
    await expect(start("disk-despite-failover")).rejects.toMatchObject({
      message: expect.stringMatching(/^min-replicas-to-write: .* expects 1 or more, found 0; /),
    });
    await configure(masters(), "min-replicas-to-write", "1", "0");
    await start("disk-despite-failover");
  });

  it("is refused at durability disk if its user may not ask for its nodes, because it may have replicas", async () => {
    const servers = cluster.shards.flatMap(({ master, replica }) => [master, replica]).map(connectTo);
    for (const server of servers)
      await server.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-cluster|nodes");
    const url = cluster.url.replaceAll("//", "//limited:secret@");
    const client = openConnection(url, "fail-fast", () => {});
    onTestFinished(() => client.disconnect());
    await whenReady(client, 30_000);
    const [server] = serversOf(client) as [Redis];

    const info = await readInfo(server);

    const promotion = promotionIn("cluster", await replicasOf(client).read(server, info), info);
    const checked = (durability: Durability) => checkPromotion(promotion, durability);

    expect(promotion.by).toBe("unknown");
    const refused = {
      holds: false,
      found: "(Redis does not say)",
      remedy: expect.stringContaining("CLUSTER NODES"),
    };
    expect(checked({ level: "disk", replicas: 0 })).toMatchObject([refused]);
    expect(checked({ level: "replica", replicas: 0, isDefault: true })).toMatchObject([refused]);
    expect(checked({ level: "replica", replicas: 1 })).toMatchObject([{ holds: true, isAccepted: true }]);
  });

  it("is named by the doctor with what it survives, and each master has its line", async () => {
    const { client, settings } = await reach({ HOLDFAST_DURABILITY: "replica:1" });

    const found = await diagnoseTopology(client, settings.HOLDFAST_DURABILITY);
    const lines = await diagnoseMasters(client);

    expect(found).toMatchObject([
      {
        name: "topology",
        found:
          "Redis Cluster: 3 masters + 3 replicas; replica:1: survives the loss of a machine, whichever replica is promoted",
      },
      { name: "cluster-require-full-coverage", verdict: "warn", found: "yes" },
      { name: "cluster-node-timeout", verdict: "ok", found: "15 s" },
      { name: "open slots", verdict: "ok" },
    ]);
    await configure(masters().slice(0, 1), "cluster-node-timeout", "2000", "15000");
    expect(await diagnoseTopology(client, settings.HOLDFAST_DURABILITY)).toContainEqual(
      expect.objectContaining({ name: "cluster-node-timeout", verdict: "warn", found: "2 s" }),
    );
    expect(lines.map(({ name }) => name)).toEqual(
      masters()
        .map(({ port }) => `master 127.0.0.1:${port}`)
        .sort(),
    );
    expect(lines.filter(({ found: facts }) => facts.includes("its clock counts"))).toHaveLength(1);
  });

  it("has an open slot found by the doctor", async () => {
    const [from, to] = cluster.shards.map(({ master }) => connectTo(master)) as [Redis, Redis, Redis];
    await from.call("CLUSTER", "SETSLOT", "0", "MIGRATING", (await to.call("CLUSTER", "MYID")) as string);
    onTestFinished(async () => void (await from.call("CLUSTER", "SETSLOT", "0", "STABLE")));
    const { client, settings } = await reach();

    expect(await diagnoseTopology(client, settings.HOLDFAST_DURABILITY)).toContainEqual(
      expect.objectContaining({
        name: "open slots",
        verdict: "warn",
        found: expect.stringMatching(/^1 at 127/),
      }),
    );
  });

  it.each([0, 1, 2])("is judged by its fullest master: master %i, at each of ten looks", async (index) => {
    await configure(masters().slice(index, index + 1), "maxmemory", "500kb", "0");
    const { url } = await createService(
      application,
      environment({ HOLDFAST_DURABILITY: "replica:1" }),
    ).startApi();

    for (let look = 0; look < 10; look += 1)
      expect(await get(`${url}/health/ready`)).toMatchObject({
        status: 503,
        body: { reasons: expect.arrayContaining([expect.stringMatching(/^memory: /)]) },
      });
    expect((await get(`${url}/overview`)).body).toMatchObject({ store: { maxBytes: 500 * 1024 } });
  });

  it("has one clock: the master of the lowest address", async () => {
    const client = await connect("fail-fast");
    const [lowest, ...others] = masters()
      .sort((a, b) => a.port - b.port)
      .map(connectTo);
    for (const server of [lowest, ...others]) await server?.config("RESETSTAT");

    for (let look = 0; look < 10; look += 1) await redisNow(client);

    const readings = [lowest, ...others].map(
      async (server) => /cmdstat_time:calls=(\d+)/.exec((await server?.info("commandstats")) ?? "")?.[1],
    );
    expect(await Promise.all(readings)).toEqual(["10", undefined, undefined]);
  });

  it("keeps a worker's commands while a master is away, and fails others meanwhile", async () => {
    const [retrying, failFast] = [await connect("retrying"), await connect("fail-fast")];
    const keys = Array.from({ length: 10 }, (_, index) => `key-${index}`);
    const [master] = masters() as [RedisServer];

    await master.kill();
    const askedAt = performance.now();
    const kept = Promise.all(keys.map((key) => retrying.set(key, "kept")));
    // Before the master is back.
    const answers = await Promise.allSettled(keys.map((key) => failFast.get(key)));
    await until("ioredis' own bound is over", () => performance.now() - askedAt > 2_000);
    await master.restart();

    expect(answers.filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
    expect(await kept).toEqual(keys.map(() => "OK"));
  });
});
