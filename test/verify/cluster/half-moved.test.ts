import { setTimeout as sleep } from "node:timers/promises";
import { defineConfig, defineJob, HoldfastError, type Producer } from "holdfast";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { get } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { fixCluster, type OpenSlot, startResharding } from "../../support/open-slot.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const mail = defineJob({
  type: "mail",
  queue: "mails",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 20, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 60_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold" } },
});

const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
const JOBS = 60;
const LOOK_MS = 1_500;
/** Between two rounds of submissions. */
const ROUND_MS = 20;
/** No test moves them, so that what tells of a loss stays behind. */
const staysBehind = (key: string) => key.endsWith(":epoch") || key.endsWith(":meta");

interface Acknowledged {
  readonly producer: Producer;
  /** The ids of jobs by their keys. */
  readonly ids: ReadonlyMap<string, string>;
  /** How often each key's effect happened. */
  readonly sent: ReadonlyMap<string, number>;
}

/** Starts everything but workers, in a cluster of its own, whose masters die, and submits jobs, which do not end before `release()`. */
async function submitAll() {
  const cluster = await startRedisCluster({ args: NODE_TIMEOUT });
  onTestFinished(() => cluster.stop());
  const sent = new Map<string, number>();
  const gate = latch();
  const application = defineConfig({
    jobs: [mail],
    handlers: async () => [
      mail.handler(async ({ effect, idempotencyKey: key }) => {
        await gate.opened;
        await effect("send", async () => void sent.set(key, (sent.get(key) ?? 0) + 1));
        return null;
      }),
    ],
  });
  const service = createService(application, {
    REDIS_URL: cluster.url,
    HOLDFAST_DURABILITY: "replica:1",
    HOLDFAST_LOCK_MS: "3000",
  });
  const producer = await service.createProducer();
  const ids = new Map<string, string>();
  const keys = Array.from({ length: JOBS }, (_, index) => `key-${index}`);
  for (const key of keys) ids.set(key, (await producer.submit(mail, null, { idempotencyKey: key })).id);
  const slotKey = `${service.env.HOLDFAST_PREFIX}:{mails}:`;
  return { cluster, service, producer, ids, sent, slotKey, release: gate.open };
}

/** The same with a worker. */
async function start() {
  const submitted = await submitAll();
  await submitted.service.startWorker();
  return submitted;
}

/** Submits the same keys again for a while. @returns how often there was another job, and the codes of refusals */
async function submitAgain({ producer, ids }: Acknowledged, ms = LOOK_MS) {
  const codes = new Set<string>();
  let others = 0;
  // A client's pace.
  for (const lookUntil = performance.now() + ms; performance.now() < lookUntil; await sleep(ROUND_MS))
    for (const [key, id] of ids) {
      const answer = await producer
        .submit(mail, null, { idempotencyKey: key })
        .catch((error: unknown) => error);
      if (answer instanceof HoldfastError) codes.add(answer.code);
      else if (answer instanceof Error || (answer as { id: string }).id !== id) others += 1;
      if (performance.now() >= lookUntil) break;
    }
  return { others, codes: [...codes] };
}

/** Waits until all have ended, and checks that each key still has its job, and each effect happened once. */
async function expectNothingLost({ producer, ids, sent }: Acknowledged) {
  await until("all are done", async () => {
    const states = await Promise.all(
      [...ids.values()].map((id) => producer.status(id).catch(() => undefined)),
    );
    return states.every((status) => status?.state === "completed");
  });
  for (const [key, id] of ids)
    expect((await producer.submit(mail, null, { idempotencyKey: key })).id).toBe(id);
  expect([...sent.values()].filter((times) => times !== 1)).toEqual([]);
  expect(sent.size).toBe(JOBS);
}

async function ask(server: RedisServer, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(server.url);
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

const isMaster = async (server: RedisServer) =>
  String(await ask(server, "INFO", "replication")).includes("role:master");

/** The servers as they are now. */
async function shardsNow(cluster: RedisCluster) {
  return await Promise.all(
    cluster.shards.map(async ({ master, replica }) =>
      (await isMaster(master)) ? { master, replica } : { master: replica, replica: master },
    ),
  );
}

/** Opens the slot of a queue. */
async function open(cluster: RedisCluster, slotKey: string, more: readonly RedisServer[] = [], to?: number) {
  const masters = [...(await shardsNow(cluster)).map(({ master }) => master), ...more];
  const resharding = startResharding(masters.map(({ url }) => url));
  onTestFinished(() => resharding.stop());
  const slot = await resharding.open(slotKey, to);
  return { slot, source: await shardWith(cluster, slot.sourcePort) };
}

async function shardWith(cluster: RedisCluster, port: OpenSlot["sourcePort"]) {
  const shard = (await shardsNow(cluster)).find(({ master }) => master.port === port);
  if (shard === undefined) throw new Error("No shard has this master");
  return shard;
}

/** Kills a master, and starts it again once its replica is promoted; resolves when that has a replica again: without one it accepts nothing. */
async function failOver({ master, replica }: Awaited<ReturnType<typeof shardWith>>) {
  await master.kill();
  await until("the replica is promoted", () => isMaster(replica));
  await master.restart();
  await until("they are in sync", async () =>
    String(await ask(replica, "INFO", "replication")).includes("state=online"),
  );
}

/** Adds an empty master to the cluster. */
async function addMaster(cluster: RedisCluster): Promise<RedisServer> {
  const server = await startRedisServer({ args: ["--cluster-enabled", "yes", ...NODE_TIMEOUT] });
  onTestFinished(() => server.stop());
  const known = cluster.shards[0]?.master.port;
  await ask(server, "CLUSTER", "MEET", "127.0.0.1", String(known));
  await until("the new master is known", async () => {
    const tables = (await shardsNow(cluster)).map(({ master }) => ask(master, "CLUSTER", "NODES"));
    const info = String(await ask(server, "CLUSTER", "INFO"));
    return (
      info.includes("cluster_state:ok") &&
      (await Promise.all(tables)).every((table) =>
        new RegExp(`:${server.port}@\\d+\\S* master `).test(String(table)),
      )
    );
  });
  return server;
}

// Each waits for nodes that are away: they wait together.
describe.concurrent("a queue whose slot is half moved", () => {
  // `redis-cli` lets the server with the most keys have the slot.
  it.each([
    ["few", 1 / 3],
    ["most", 4 / 5],
  ])(
    "is not used when its master dies, and loses nothing, though its epoch was not moved: %s keys were",
    async (_, share) => {
      const { cluster, service, slotKey, release, ...jobs } = await start();
      const api = await service.startApi();
      const { slot, source } = await open(cluster, slotKey);
      await slot.moveShare(share, staysBehind);
      await failOver(source);
      release();

      expect(await submitAgain(jobs)).toEqual({ others: 0, codes: ["STORE_UNAVAILABLE"] });
      expect(await get(`${api.url}/health/ready`)).toMatchObject({
        status: 503,
        body: {
          reasons: expect.arrayContaining([
            expect.stringMatching(
              /^slot of mails: found slot \d+ is open: (127\.0\.0\.1:\d+ was to get it, and its master does not know|it is being moved away from 127\.0\.0\.1:\d+); /,
            ),
          ]),
        },
      });
      const overview = await until("the overview is read", async () => {
        const { status, body } = await get(`${api.url}/overview`);
        return status === 200 && body;
      });
      expect(overview).toMatchObject({
        problems: expect.arrayContaining([
          expect.objectContaining({
            code: "STORE_UNAVAILABLE",
            message: expect.stringMatching(/^slot of mails: /),
            remedy: expect.stringContaining("redis-cli --cluster fix"),
          }),
        ]),
      });
      const scrape = async () => await (await fetch(`${api.url}/metrics`)).text();
      expect(await scrape()).toMatch(/^holdfast_queue_slot_open\{queue="mails"\} 1$/m);
      expect(await scrape()).toMatch(/^holdfast_store_up 1$/m);

      await fixCluster(source.replica.port);
      await expectNothingLost(jobs);
      expect(await scrape()).toMatch(/^holdfast_queue_slot_open\{queue="mails"\} 0$/m);
    },
    120_000,
  );

  it("is not used by a process that starts later either, though its keys are with a master that has no slots", async () => {
    const { cluster, service, slotKey, release, ...jobs } = await start();
    const added = await addMaster(cluster);
    const { slot, source } = await open(cluster, slotKey, [added], 3);
    await slot.moveShare(1 / 3, staysBehind);
    await failOver(source);
    release();

    const later = await service.createProducer();
    expect(await submitAgain({ ...jobs, producer: later })).toEqual({
      others: 0,
      codes: ["STORE_UNAVAILABLE"],
    });

    await fixCluster(source.replica.port);
    await expectNothingLost(jobs);
  }, 120_000);

  it("is not used when the move was ended by force", async () => {
    const { cluster, service, slotKey, release, ...jobs } = await submitAll();
    const { slot, source } = await open(cluster, slotKey);
    await slot.moveShare(1 / 3, staysBehind);
    await submitAgain(jobs);
    await slot.forget();

    expect(await submitAgain(jobs)).toEqual({ others: 0, codes: ["STORE_UNAVAILABLE"] });

    await slot.reopen();
    await fixCluster(source.master.port);
    release();
    await service.startWorker();
    await expectNothingLost(jobs);
  }, 120_000);
});
