import { setImmediate as endOfTurn } from "node:timers/promises";
import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { diagnoseTopology } from "../../../src/desk/doctor/doctor-topology.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { openConnection } from "../../../src/platform/redis/connection.ts";
import { application } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type SentinelSet, startSentinelSet } from "../../support/redis-sentinel.ts";
import type { RedisServer } from "../../support/redis-server.ts";
import { run } from "../../support/run-command.ts";
import { createService, testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

let set: SentinelSet;

beforeAll(async () => {
  set = await startSentinelSet({ sentinelLines: ["requirepass sentinel-secret"] });
});
afterAll(() => set?.stop());

const url = () => `${set.url}?sentinelPassword=sentinel-secret`;

function connectTo(server: RedisServer): Redis {
  const client = new Redis(server.url);
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

async function roleOf(server: RedisServer): Promise<string | undefined> {
  return /role:(\w+)/.exec(await connectTo(server).info("replication"))?.[1];
}

/** Writes one number after another over one connection, also while a new master lacks replicas. `stop()` returns those that were acknowledged. */
function startWriting(key: string) {
  const client = openConnection(url(), "retrying", () => {}) as Redis;
  onTestFinished(() => client.disconnect());
  const acknowledged: string[] = [];
  let isOver = false;
  const written = (async () => {
    for (let next = 0; !isOver; next += 1) {
      const answer = await client.sadd(key, next).catch(() => undefined);
      if (answer !== undefined) acknowledged.push(String(next));
      await endOfTurn();
    }
  })();
  return {
    client,
    acknowledged,
    async stop() {
      isOver = true;
      await written;
    },
  };
}

describe("a Sentinel set", withProcesses, () => {
  it("is refused at durability disk, which is lost with the master, and asks for its replicas where none is configured", async () => {
    const env = testEnvironment({ REDIS_URL: url() });
    const start = async (durability?: string) => {
      await using _ = await createProducer(application, {
        ...env,
        ...(durability && { HOLDFAST_DURABILITY: durability }),
      });
    };

    await expect(start("disk")).rejects.toMatchObject({
      code: "STORE_UNFIT",
      message: expect.stringMatching(
        /^promotion: HOLDFAST_DURABILITY=disk expects that nothing promotes .*, found a Sentinel set; .* Remedy: leave HOLDFAST_DURABILITY empty, .*; disk-despite-failover accepts the risk\.$/,
      ),
    });
    for (const durability of ["memory", "replica:2", undefined]) await start(durability);
  });

  it("waits for each replica with each write where no durability is configured", async () => {
    const service = createService(application, { REDIS_URL: url() });
    const { url: api } = await service.startApi();
    expect((await get(`${api}/overview`)).body).toMatchObject({ store: { durability: "replica:2" } });
    const submit = (key: string) => post(`${api}/jobs`, { type: "echo", payload: 1, idempotencyKey: key });
    expect((await submit("confirmed")).status).toBe(202);
    const signal = (name: NodeJS.Signals) => {
      for (const { pid } of set.servers.slice(2)) process.kill(pid, name);
    };

    // One of the two that is stopped cannot confirm.
    signal("SIGSTOP");
    const answer = await submit("unconfirmed").finally(() => signal("SIGCONT"));

    expect(answer).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(answer.body.detail).toMatch(/^[01] of 2 replicas confirmed in time/);
    await set.inSync();
  });

  it("is accepted at disk-despite-failover only if a master that lost its replicas stops", async () => {
    const env = testEnvironment({ REDIS_URL: url(), HOLDFAST_DURABILITY: "disk-despite-failover" });
    const configure = async (name: string, value: string) => {
      for (const server of set.servers) await connectTo(server).config("SET", name, value);
    };
    onTestFinished(async () => {
      await configure("min-replicas-to-write", "0");
      await configure("min-replicas-max-lag", "10");
    });
    const refused = (message: RegExp) =>
      expect(createProducer(application, env)).rejects.toMatchObject({
        code: "STORE_UNFIT",
        message: expect.stringMatching(message),
      });

    await refused(
      /^min-replicas-to-write: HOLDFAST_DURABILITY=disk-despite-failover expects 1 or more, found 0; .* Remedy: CONFIG SET min-replicas-to-write 1\.$/,
    );
    await configure("min-replicas-to-write", "1");
    await configure("min-replicas-max-lag", "0");
    await refused(
      /^min-replicas-max-lag: .* expects 1 or more, found 0; 0 switches min-replicas-to-write off/,
    );
    await configure("min-replicas-max-lag", "10");
    await using _ = await createProducer(application, env);
  });

  it("is not ready while a replica would lose what is acknowledged as soon as it is promoted", async () => {
    const { url: api } = await createService(application, { REDIS_URL: url() }).startApi();
    const ready = async () => await get(`${api}/health/ready`);
    expect(await ready()).toMatchObject({ status: 200 });
    const [, replica] = set.servers as [RedisServer, RedisServer, RedisServer];

    await connectTo(replica).config("SET", "appendonly", "no");
    onTestFinished(async () => void (await connectTo(replica).config("SET", "appendonly", "yes")));

    expect(await ready()).toMatchObject({
      status: 503,
      body: {
        reasons: [
          expect.stringMatching(
            new RegExp(
              `^replica 127.0.0.1:${replica.port}: found appendonly no; .*CONFIG SET appendonly yes`,
            ),
          ),
        ],
      },
    });
  });

  it("acknowledges nothing through a promoted replica whose log is off, from the first submission on", async () => {
    const { url: api } = await createService(application, { REDIS_URL: url() }).startApi();
    let key = 0;
    const submit = () => {
      key += 1;
      return post(`${api}/jobs`, { type: "echo", payload: 1, idempotencyKey: `promoted-${key}` });
    };
    expect((await submit()).status).toBe(202);
    const old = await set.master();
    const others = set.servers.filter((server) => server !== old);
    for (const server of others) {
      await connectTo(server).config("SET", "appendonly", "no");
      onTestFinished(async () => void (await connectTo(server).config("SET", "appendonly", "yes")));
    }

    await set.askSentinel("SENTINEL", "FAILOVER", "main");
    await until("there is another master", async () => (await set.master()) !== old);

    const isOld = async () => (await connectTo(old).dbsize()) > 0 && (await roleOf(old)) === "master";
    const refused = await until("the new master is refused", async () => {
      const wasOld = await isOld();
      const answer = await submit();
      if (!wasOld) expect(answer.status).toBe(503);
      return answer.body.code === "STORE_UNFIT" && answer;
    });
    expect(refused.body.detail).toMatch(/^appendonly: .* found no; /);
    await set.inSync();
  });

  it("is named by the doctor, with what it survives", async () => {
    const found = async (durability: string) => {
      const settings = readSettings(testEnvironment({ REDIS_URL: url(), HOLDFAST_DURABILITY: durability }));
      const { client, stop } = await reachRedis(settings, "fail-fast");
      onTestFinished(() => stop());
      return await diagnoseTopology(client, settings.HOLDFAST_DURABILITY);
    };

    expect(await found("replica:2")).toMatchObject([
      {
        name: "topology",
        found:
          "Sentinel set main: master + 2 replicas; replica:2: survives the loss of a machine, whichever replica is promoted",
      },
      { name: "sentinels", verdict: "ok", found: "3, quorum 2; they promote a replica after 1.5 s" },
      { name: "min-replicas-max-lag", verdict: "warn", found: "10 s" },
    ]);
  });

  it("says the price where fewer replicas confirm than can be promoted, in the log and the overview, and is ready", async () => {
    const service = createService(application, { REDIS_URL: url(), HOLDFAST_DURABILITY: "replica:1" });
    const { url: api } = await service.startApi();

    const promotion = {
      name: "promotion",
      verdict: "warn",
      found: "1 of 2 confirm; accepted by HOLDFAST_DURABILITY=replica:1",
      reason: expect.stringContaining("effects run on both sides of a split network"),
      remedy: expect.stringContaining("leave HOLDFAST_DURABILITY empty"),
    };
    expect(await get(`${api}/health/ready`)).toMatchObject({
      status: 200,
      body: { reasons: [], checks: expect.arrayContaining([expect.objectContaining(promotion)]) },
    });
  });

  it("says at the start what is wrong, if REDIS_URL names another master or lacks the sentinels' password", async () => {
    const start = (REDIS_URL: string) => createProducer(application, testEnvironment({ REDIS_URL }));

    await expect(start(url().replace("/main?", "/mian?"))).rejects.toMatchObject({
      code: "STORE_REFUSED",
      message: expect.stringMatching(/^the sentinels answer, and know no master named mian\./),
    });
    for (const wrong of [set.url, `${set.url}?sentinelPassword=wrong-one`]) {
      const refused = start(wrong);
      await expect(refused).rejects.toMatchObject({
        code: "STORE_REFUSED",
        message: expect.stringMatching(/sentinels.*sentinelPassword/s),
      });
      await expect(refused).rejects.not.toThrow(/wrong-one/);
    }
  });

  it("is left by no connection later than its sentinels report another master, although the old one still takes writes", async () => {
    await set.slowDown();
    const old = await set.master();
    const { client, acknowledged, stop } = startWriting("noticed");
    await until("it writes", () => acknowledged.length > 10);

    await set.askSentinel("SENTINEL", "FAILOVER", "main");
    await until("there is another master", async () => (await set.master()) !== old);
    const { port } = await set.master();
    await until("it is used", () => client.status === "ready" && client.stream.remotePort === port);

    expect(await roleOf(old)).toBe("master");
    await stop();
    await connectTo(old).replicaof("127.0.0.1", port);
    await set.inSync();
  });

  it("loses nothing in holdfast store failover", async () => {
    const old = await set.master();
    const { acknowledged, stop } = startWriting("kept");
    await until("it writes", () => acknowledged.length > 10);

    const { code, stdout } = await run(["store", "failover"], testEnvironment({ REDIS_URL: url() }));

    expect(code).toBe(0);
    const master = await set.master();
    expect(stdout).toMatch(
      new RegExp(
        `^127\\.0\\.0\\.1:${master.port} is the master now, and has every write of 127\\.0\\.0\\.1:${old.port};`,
      ),
    );
    const before = acknowledged.length;
    await until("it writes to the new one", () => acknowledged.length > before + 10);
    await stop();
    const kept = new Set(await connectTo(master).smembers("kept"));
    expect(acknowledged.filter((number) => !kept.has(number))).toEqual([]);
    expect(await roleOf(old)).toBe("slave");
  });
});

describe("holdfast store failover", withProcesses, () => {
  it("refuses one server, which nobody could promote", async () => {
    const { code, stderr } = await run(["store", "failover"], testEnvironment());

    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("REDIS_URL names one server, not a Sentinel set"),
    ]);
  });
});
