import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { type SentinelSet, startSentinelSet } from "../../support/redis-sentinel.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService, testEnvironment } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

async function ask({ url }: Pick<RedisServer, "url">, ...command: readonly string[]): Promise<string> {
  const client = new Redis(url);
  client.on("error", () => {});
  const [name = "", ...args] = command;
  return String(await client.call(name, ...args).finally(() => client.disconnect()));
}

function paused(server: RedisServer): () => void {
  process.kill(server.pid, "SIGSTOP");
  const goOn = () => void process.kill(server.pid, "SIGCONT");
  onTestFinished(goOn);
  return goOn;
}

/** An API at the default durability, and what it answers. */
async function startApi(url: string) {
  const service = createService(application, { REDIS_URL: url });
  const { url: api } = await service.startApi();
  let next = 0;
  const submit = async () => {
    next += 1;
    const { status, body } = await post(`${api}/jobs`, {
      type: "echo",
      payload: 1,
      idempotencyKey: `${next}`,
    });
    return status === 202 ? "accepted" : `${body.code} ${body.detail}`;
  };
  return {
    prefix: service.env.HOLDFAST_PREFIX,
    submit,
    durability: async () => ((await get(`${api}/overview`)).body.store as { durability: string }).durability,
    reasons: async () => (await get(`${api}/health/ready`)).body.reasons as string[],
    accepts: () => until("jobs are accepted", async () => (await submit()) === "accepted"),
    refuses: (why: RegExp) => until(`jobs are refused: ${why}`, async () => why.test(await submit())),
  };
}

// One set and one cluster: their tests wait beside each other, those of one in turn.
describe.concurrent("where no durability is configured, a Sentinel set", withProcesses, () => {
  let set: SentinelSet;
  beforeAll(async () => {
    set = await startSentinelSet();
  });
  beforeEach(() => set.inSync());
  afterAll(() => set?.stop());
  const sentinels = (...command: readonly string[]) =>
    Promise.all(set.sentinels.map((sentinel) => ask(sentinel, "SENTINEL", ...command)));
  const priority = async (server: RedisServer, value: string) => {
    await ask(server, "CONFIG", "SET", "replica-priority", value);
    await until("the sentinels know it", async () =>
      (await sentinels("REPLICAS", "main")).every((text) =>
        new RegExp(`,${server.port},.*?slave-priority,${value}(,|$)`).test(text),
      ),
    );
  };

  it.sequential("accepts nothing that one of its replicas does not have, until that is back", async () => {
    const api = await startApi(set.url);
    expect(await api.durability()).toBe("replica:2");
    expect(await api.submit()).toBe("accepted");

    const [, , last] = set.servers as [RedisServer, RedisServer, RedisServer];
    await last.kill();
    onTestFinished(() => last.restart());
    await api.refuses(
      /^STORE_UNAVAILABLE 1 of 2 replicas confirmed in time; one that could be promoted is away/,
    );
    expect(await api.reasons()).toEqual([
      expect.stringMatching(
        new RegExp(
          `^replicas: found 1, and 127.0.0.1:${last.port} away; .*expects all 2 that can be promoted online`,
        ),
      ),
    ]);

    await last.restart();
    await api.accepts();
  });

  it.sequential("does not wait for one that cannot be promoted, and does not take its word for another's", async () => {
    const [, first, last] = set.servers as [RedisServer, RedisServer, RedisServer];
    await priority(last, "0");
    onTestFinished(() => priority(last, "100"));
    const api = await startApi(set.url);
    expect(await api.durability()).toBe("replica:1");

    const goOn = paused(first);
    for (let times = 0; times < 5; times += 1) expect(await api.submit()).toMatch(/^STORE_UNAVAILABLE/);
    goOn();
    await api.accepts();
    await last.kill();
    onTestFinished(() => last.restart());
    await api.accepts();
  });

  it.sequential("waits for one that is added, and goes on without one that the sentinels have forgotten", async () => {
    const api = await startApi(set.url);
    expect(await api.submit()).toBe("accepted");
    const master = await set.master();
    const added = await startRedisServer({
      args: ["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", String(master.port)],
    });
    onTestFinished(() => added.stop());
    await until("three are asked for", async () => (await api.durability()) === "replica:3");
    await until("the sentinels know it", async () =>
      (await sentinels("REPLICAS", "main")).every((text) => text.includes(`,${added.port},`)),
    );

    await added.kill();
    await api.refuses(
      /^STORE_UNAVAILABLE 2 of 3 replicas confirmed in time; one that could be promoted is away/,
    );
    await sentinels("RESET", "main");
    await api.accepts();
  });

  it.sequential("is refused by name only: replica:1 goes on with one of two", async () => {
    const [, , last] = set.servers as [RedisServer, RedisServer, RedisServer];
    await last.kill();
    onTestFinished(() => last.restart());
    const start = async (durability: string) => {
      await using _ = await createProducer(
        application,
        testEnvironment({ REDIS_URL: set.url, ...(durability && { HOLDFAST_DURABILITY: durability }) }),
      );
    };

    await start("replica:1");
    await expect(start("")).rejects.toMatchObject({
      code: "STORE_UNFIT",
      message: expect.stringMatching(
        /^replicas: HOLDFAST_DURABILITY=replica:2 expects all 2 .*SENTINEL RESET/,
      ),
    });
  });
});

describe.concurrent("where no durability is configured, a Redis Cluster", withProcesses, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster({ replicas: 2, args: ["--cluster-node-timeout", "1500"] });
  }, 120_000);
  afterAll(() => cluster?.stop());
  const all = () => cluster.shards.flatMap(({ master, replicas }) => [master, ...replicas]);

  it.sequential("accepts nothing that one of a master's replicas does not have; one that cannot be promoted does not count", async () => {
    const api = await startApi(cluster.url);
    expect(await api.durability()).toBe("replica:2");
    expect(await api.submit()).toBe("accepted");
    const { master, replicas } = await cluster.shardOf(api.prefix, "default");
    const [first, last] = replicas as [RedisServer, RedisServer];

    const goOn = paused(last);
    for (let times = 0; times < 3; times += 1)
      expect(await api.submit()).toMatch(/^STORE_UNAVAILABLE 1 of 2/);
    goOn();
    await api.accepts();
    await ask(last, "CONFIG", "SET", "cluster-replica-no-failover", "yes");
    await until("the master knows it", async () =>
      (await ask(master, "CLUSTER", "NODES")).includes("nofailover"),
    );
    await last.kill();
    await api.accepts();
    const again = paused(first);
    await api.refuses(/^STORE_UNAVAILABLE/);
    again();
    await last.restart();
    await ask(last, "CONFIG", "SET", "cluster-replica-no-failover", "no");
    await api.accepts();
  });

  it.sequential("waits for a master that was replaced, which can come back and be promoted, until it is forgotten", async () => {
    const api = await startApi(cluster.url);
    const { master, replicas } = await cluster.shardOf(api.prefix, "default");
    const id = await ask(master, "CLUSTER", "MYID");

    await master.kill();
    await until("a replica is promoted", async () => {
      const infos = await Promise.all(replicas.map((replica) => ask(replica, "INFO", "replication")));
      return infos.some((info) => info.includes("role:master") && info.includes("slave0:"));
    });
    await api.refuses(
      /^STORE_UNAVAILABLE 1 of 2 replicas confirmed in time; one that could be promoted is away/,
    );
    for (const server of all()) if (server !== master) await ask(server, "CLUSTER", "FORGET", id);
    await api.accepts();
  });
});
