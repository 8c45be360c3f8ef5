import { defineConfig, defineJob, HoldfastError } from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { fixCluster, startResharding } from "../support/open-slot.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.ts";
import { createService } from "../support/service.ts";
import { until } from "../support/until.ts";

const mail = defineJob({
  type: "mail",
  queue: "mails",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 20, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 60_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold" } },
});

/** How often each key's effect happened. */
const sent = new Map<string, number>();
let release = () => {};
const isReleased = new Promise<void>((resolve) => {
  release = resolve;
});
const application = defineConfig({
  jobs: [mail],
  handlers: async () => [
    mail.handler(async ({ effect, idempotencyKey }) => {
      await isReleased;
      await effect("send", async () => void sent.set(idempotencyKey, (sent.get(idempotencyKey) ?? 0) + 1));
      return null;
    }),
  ],
});

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster({ args: ["--cluster-node-timeout", "2000"] });
}, 120_000);
afterAll(() => cluster?.stop());

const JOBS = 60;

async function roleOf(url: string): Promise<string | undefined> {
  const client = new Redis(url);
  try {
    return /role:(\w+)/.exec(await client.info("replication"))?.[1];
  } finally {
    client.disconnect();
  }
}

describe("a queue whose slot is half moved", () => {
  it("is not used when its master dies, and loses nothing, though its epoch was not moved", async () => {
    const service = createService(application, {
      REDIS_URL: cluster.url,
      HOLDFAST_DURABILITY: "replica:1",
      HOLDFAST_LOCK_MS: "3000",
    });
    const producer = await service.createProducer();
    const submit = (idempotencyKey: string) => producer.submit(mail, null, { idempotencyKey });
    const keys = Array.from({ length: JOBS }, (_, index) => `key-${index}`);
    const acknowledged = new Map<string, string>();
    for (const key of keys) acknowledged.set(key, (await submit(key)).id);

    const worker = await service.startWorker();

    const prefix = `${service.env.HOLDFAST_PREFIX}:{mails}:`;
    const source = await cluster.shardOf(service.env.HOLDFAST_PREFIX ?? "", "mails");
    const resharding = startResharding(cluster.shards.map(({ master }) => master.url));
    const slot = await resharding.open(prefix);
    await slot.moveHalf((key) => key.endsWith(":epoch") || key.endsWith(":meta"));
    await source.master.kill();
    resharding.stop();

    const again = async (key: string) => await submit(key).catch((error: unknown) => error);
    const other: string[] = [];
    const refused = new Set<string>();
    await until("the replica is promoted", async () => (await roleOf(source.replica.url)) === "master");
    await source.master.restart();
    release();
    const lookUntil = performance.now() + 8_000;
    for (let at = 0; performance.now() < lookUntil; at += 1) {
      const key = keys[at % keys.length] ?? "";
      const answer = await again(key);
      if (answer instanceof HoldfastError) refused.add(answer.code);
      else if ((answer as { id: string }).id !== acknowledged.get(key)) other.push(key);
    }
    expect(other).toEqual([]);
    expect([...refused]).toEqual(["STORE_UNAVAILABLE"]);

    await fixCluster(source.replica.port);
    await until("all are done", async () => {
      const states = await Promise.all(
        [...acknowledged.values()].map((id) => producer.status(id).catch(() => undefined)),
      );
      return states.every((status) => status?.state === "completed");
    });
    for (const key of keys) expect((await submit(key)).id).toBe(acknowledged.get(key));
    expect([...sent.values()].filter((times) => times !== 1)).toEqual([]);
    expect(sent.size).toBe(JOBS);
    await worker.stop();
  }, 120_000);
});
