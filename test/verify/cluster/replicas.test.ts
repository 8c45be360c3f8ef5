import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as endOfTurn } from "node:timers/promises";
import { defineConfig, defineJob, HoldfastError, type Producer } from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { connectQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { anyJob } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const queues = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"];
const plain = queues.map((queue) => anyJob({ type: `plain-${queue}`, queue }));
const guarded = defineJob({
  type: "guarded",
  queue: "alpha",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
let acted = 0;
let begun = 0;
const application = defineConfig({
  jobs: [...plain, guarded],
  handlers: async () => [
    ...plain.map((job) => job.handler(async () => null)),
    guarded.handler(async ({ effect }) => {
      begun += 1;
      await effect("act", async () => {
        acted += 1;
      });
      return null;
    }),
  ],
});
const [alpha] = plain as [(typeof plain)[number]];

const SUBMISSIONS = 30;
const GUARDED = 10;

/** Submits one after another, so that each travels alone. @returns the number of accepted jobs, and the faults */
async function submitMany(producer: Producer, name: string) {
  const submitted: Promise<unknown>[] = [];
  for (let index = 0; index < SUBMISSIONS; index += 1) {
    const receipt = producer.submit(alpha, null, { idempotencyKey: `${name}-${index}` });
    submitted.push(receipt.catch((fault: HoldfastError) => fault));
    await endOfTurn();
  }
  const results = await Promise.all(submitted);
  const faults = results.filter((result) => result instanceof HoldfastError);
  return { accepted: results.length - faults.length, faults };
}

function paused(server: RedisServer): () => void {
  process.kill(server.pid, "SIGSTOP");
  const goOn = () => void process.kill(server.pid, "SIGCONT");
  onTestFinished(goOn);
  return goOn;
}

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

const service = (variables: Variables = {}) =>
  createService(application, { REDIS_URL: cluster.url, HOLDFAST_DURABILITY: "replica:1", ...variables });

describe("durability replica:N on a Redis Cluster", withProcesses, () => {
  /** A replica that a test has paused reports again within a second. */
  beforeEach(async () => {
    const masters = cluster.shards.map(({ master }) => new Redis(master.url));
    await until("every replica reports", async () => {
      const infos = await Promise.all(masters.map((master) => master.info("replication")));
      return infos.every((info) => /state=online,.*lag=[01]\b/.test(info));
    });
    for (const master of masters) master.disconnect();
  });

  it("accepts no job that the replica of its queue's master does not have, and all of them once it is back", async () => {
    const { env, createProducer } = service();
    const producer = await createProducer();
    const shard = await cluster.shardOf(env.HOLDFAST_PREFIX, "alpha");
    expect(await submitMany(producer, "before")).toEqual({ accepted: SUBMISSIONS, faults: [] });

    const goOn = paused(shard.replica);
    const { accepted, faults } = await submitMany(producer, "paused");

    expect(accepted).toBe(0);
    for (const fault of faults) expect(fault).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(String(faults[0])).toMatch(/0 of 1 replica confirmed in time/);
    goOn();
    await until("jobs are accepted again", () =>
      producer.submit(alpha, null, { idempotencyKey: "again" }).catch(() => false),
    );
    expect(await submitMany(producer, "paused")).toMatchObject({ accepted: SUBMISSIONS });
  });

  it("keeps working while another master's replica is down, and answers reads for the affected one", async () => {
    const { env, startApi } = service();
    const { url } = await startApi();
    const away = await cluster.shardOf(env.HOLDFAST_PREFIX, "alpha");
    const shards = await Promise.all(queues.map((queue) => cluster.shardOf(env.HOLDFAST_PREFIX, queue)));
    const other = queues[shards.findIndex((shard) => shard !== away)];
    const submission = (type: string, key: string) => ({ type, payload: null, idempotencyKey: key });
    const begunAt = performance.now();
    const before = await post(`${url}/jobs`, submission("plain-alpha", "before"));
    expect(before.status).toBe(202);
    /** A busy machine takes longer, as it did for one that nothing holds up. */
    const busyMs = 20 * (performance.now() - begunAt);

    paused(away.replica);
    const refused = Array.from({ length: 5 }, (_, index) =>
      post(`${url}/jobs`, submission("plain-alpha", `refused-${index}`)),
    );
    const askedAt = performance.now();
    const read = await get(`${url}${before.body.statusUrl}`);
    expect(read.status).toBe(200);
    expect(performance.now() - askedAt).toBeLessThan(1_500 + busyMs);
    expect((await post(`${url}/jobs`, submission(`plain-${other}`, "other"))).status).toBe(202);
    for (const { status, body } of await Promise.all(refused)) {
      expect([status, body.code]).toEqual([503, "STORE_UNAVAILABLE"]);
      expect(body.detail).toMatch(/0 of 1 replica confirmed in time/);
    }
    expect(performance.now() - askedAt).toBeLessThan(2_000 + busyMs);
    const { reasons } = await until("the API names the replica that is silent", async () => {
      const { status, body } = await get(`${url}/health/ready`);
      return status === 503 && body;
    });
    expect(reasons).toEqual([expect.stringMatching(/^replicas: found 0; /)]);
  });

  it("begins no effect whose reservation the replica does not have, and uses up no attempt", async () => {
    const { env, createProducer, startWorker } = service({ HOLDFAST_LOCK_MS: "1000" });
    const producer = await createProducer();
    const keys = Array.from({ length: GUARDED }, (_, index) => ({
      payload: null,
      idempotencyKey: `${index}`,
    }));
    const receipts = await producer.submitMany(guarded, keys);
    const goOn = paused((await cluster.shardOf(env.HOLDFAST_PREFIX, "alpha")).replica);
    await startWorker();

    await until("the handler has asked for its effect repeatedly", () => begun > 2 * GUARDED);
    expect(acted).toBe(0);
    goOn();
    for (const receipt of receipts) {
      if (receipt instanceof HoldfastError) throw receipt;
      const { effects } = await untilState(producer, receipt.id, "completed");
      expect(effects).toMatchObject([{ name: "act", state: "done" }]);
    }
    expect(acted).toBe(GUARDED);
  });

  it("notices an emptied cluster whose nodes are named in another order", async () => {
    const { env, startApi } = service();
    const submission = { type: "plain-alpha", payload: null, idempotencyKey: "k" };
    const api = await startApi();
    expect((await post(`${api.url}/jobs`, submission)).status).toBe(202);
    await api.stop();

    await Promise.all(cluster.shards.map(({ master }) => command(master, "FLUSHALL")));
    const reordered = service({ ...env, REDIS_URL: env.REDIS_URL.split(",").reverse().join(",") });

    const { url } = await reordered.startApi();
    expect(await post(`${url}/jobs`, submission)).toMatchObject({
      status: 503,
      body: { code: "STORE_ROLLED_BACK" },
    });
  });

  it("follows its queue to the new master of a failover, and accepts jobs once that has a replica", async () => {
    const { env, createProducer, startWorker } = service();
    const producer = await createProducer();
    await startWorker();
    const { master, replica } = await cluster.shardOf(env.HOLDFAST_PREFIX, "alpha");
    const shards = await Promise.all(queues.map((queue) => cluster.shardOf(env.HOLDFAST_PREFIX, queue)));
    const other = plain[shards.findIndex((shard) => shard.master !== master)] ?? alpha;
    const submit = (job: typeof alpha, key: string) => producer.submit(job, null, { idempotencyKey: key });
    const fault = (key: string) => submit(alpha, key).then(() => "", String);
    await failOverSoon(cluster);

    await master.kill();
    await until("the replica is master", async () =>
      (await command(replica, "INFO", "replication")).includes("role:master"),
    );
    // Until slots are moved, the cluster is down for everybody.
    await until("the other queue goes on", () => submit(other, "other").catch(() => false));
    await until("the new master is asked", async () => (await fault("a")).includes("0 of 1 replica"));
    for (let index = 0; index < 5; index += 1) await submit(other, `other-${index}`);

    await master.restart();
    const receipt = await until("alpha goes on", () => submit(alpha, "a").catch(() => undefined));
    await untilState(producer, receipt.id, "completed");
  });
});

async function command({ url }: RedisServer, name: string, ...args: readonly string[]): Promise<string> {
  const client = new Redis(url);
  const reply = await client.call(name, ...args);
  client.disconnect();
  return String(reply);
}

async function failOverSoon({ shards }: RedisCluster): Promise<void> {
  const servers = shards.flatMap(({ master, replica }) => [master, replica]);
  for (const server of servers) await command(server, "CONFIG", "SET", "cluster-node-timeout", "1000");
}

async function startPair() {
  const master = await startRedisServer({ args: ["--repl-diskless-sync-delay", "0"] });
  onTestFinished(() => master.stop());
  const directory = await mkdtemp(join(tmpdir(), "holdfast-replica-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const args = ["--replicaof", "127.0.0.1", String(master.port)];
  const replica = await startRedisServer({ directory, args });
  onTestFinished(() => replica.stop());
  await until("the replica is in sync", async () =>
    (await command(master, "INFO", "replication")).includes("state=online"),
  );
  return { master, replica, directory };
}

describe("durability replica:N on one server", withProcesses, () => {
  it("accepts no job that the replica does not have, and does not mistake a new connection for a confirmation", async () => {
    const { master, replica } = await startPair();
    const { createProducer, connect } = service({ REDIS_URL: master.url });
    const store = connect();
    const producer = await createProducer();
    expect(await submitMany(producer, "before")).toMatchObject({ accepted: SUBMISSIONS });
    const [, waits] = /cmdstat_wait:calls=(\d+)/.exec(await store.info("commandstats")) ?? [];
    expect(Number(waits)).toBeLessThan(SUBMISSIONS / 2);

    const goOn = paused(replica);
    const mutations = setInterval(
      () => void store.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
      50,
    );
    const { accepted } = await submitMany(producer, "paused");
    clearInterval(mutations);

    expect(accepted).toBe(0);
    goOn();
    await until("jobs are accepted again", () =>
      producer.submit(alpha, null, { idempotencyKey: "again" }).catch(() => false),
    );
  });

  it("does not call it a loss when what the replicas never confirmed is gone", async () => {
    const { master, replica, directory } = await startPair();
    const { env, createProducer } = service({ REDIS_URL: master.url });
    const producer = await createProducer();
    const submit = (key: string) => producer.submit(alpha, null, { idempotencyKey: key });
    const { epochs, stop } = await connectQueues(application, readSettings(env), [], "fail-fast");
    onTestFinished(stop);
    const epoch = epochs.of("alpha");
    await submit("before");
    await until("others know what is confirmed", async () => {
      await epoch.check();
      return epoch.remembered.count === 1;
    });

    process.kill(replica.pid, "SIGSTOP");
    await expect(submit("unconfirmed")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await epoch.check();
    expect(epoch.remembered.count).toBe(1);
    await Promise.all([master.kill(), replica.kill()]);
    const promoted = await startRedisServer({ directory, port: master.port });
    onTestFinished(() => promoted.stop());

    await until("the replica's data is all there is", () => epoch.check().then(() => true, isOutage));
    expect(epoch.remembered.count).toBe(1);
  });
});

/** @returns false @throws anything but an outage */
function isOutage(fault: unknown): false {
  if (fault instanceof HoldfastError) throw fault;
  return false;
}
