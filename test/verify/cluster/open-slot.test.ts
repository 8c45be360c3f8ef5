import { setImmediate as endOfTurn } from "node:timers/promises";
import slotOf from "cluster-key-slot";
import { defineConfig, defineJob, HoldfastError } from "holdfast";
import type { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { openConnection } from "../../../src/platform/redis/connection.ts";
import { startResharding } from "../../support/open-slot.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const mail = defineJob({
  type: "mail",
  queue: "mails",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 20, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 20_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold" } },
});

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster({ args: ["--min-replicas-to-write", "1"] });
}, 120_000);
afterAll(() => cluster.stop());

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
      await effect("send", async () => {
        sent.set(idempotencyKey, (sent.get(idempotencyKey) ?? 0) + 1);
        if (idempotencyKey === "slow") await isReleased;
      });
      return null;
    }),
  ],
});

const BACKLOG = 50;
const LOCK_MS = 3_000;
/** Much less than its grace. */
const STOPS_WITHIN_MS = 8_000;

describe("while a cluster moves a queue's slot", () => {
  it("does nothing with a half-moved queue, keeps the locks of running jobs, and goes on afterwards", async () => {
    const service = createService(application, {
      REDIS_URL: cluster.url,
      HOLDFAST_LOCK_MS: String(LOCK_MS),
      HOLDFAST_CONCURRENCY: "4",
    });
    const producer = await service.createProducer();
    const submit = (idempotencyKey: string) => producer.submit(mail, null, { idempotencyKey });
    const first = await submit("slow");
    const worker = await service.startWorker();
    await until("the slow effect has begun", () => sent.has("slow"));
    const resharding = startResharding(cluster.shards.map(({ master }) => master.url));
    try {
      const slot = await resharding.open(`${service.env.HOLDFAST_PREFIX}:{mails}:`);
      await slot.moveKeys(3);
      const refused = await submit("refused").catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(HoldfastError);
      expect(refused).toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(producer.status(first.id)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      // Longer than the lock lasts, because reading a status takes its whole deadline.
      const openUntil = performance.now() + 1.5 * LOCK_MS;
      await until("the lock would have expired", () => performance.now() > openUntil);
      release();
      await slot.close();
    } finally {
      resharding.stop();
    }
    await until(
      "the slow job has completed",
      async () => (await producer.status(first.id))?.state === "completed",
    );
    expect(await producer.status(first.id)).toMatchObject({ state: "completed", attemptsMade: 1 });

    const ids = await Promise.all(Array.from({ length: BACKLOG }, (_, at) => submit(`key-${at}`)));
    await until("all are done", async () => {
      const states = await Promise.all(ids.map(({ id }) => producer.status(id)));
      return states.every((status) => status?.state === "completed");
    });
    expect([...sent.values()].filter((times) => times !== 1)).toEqual([]);
    const stoppedAt = performance.now();
    await worker.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(STOPS_WITHIN_MS);
  }, 120_000);

  it("does not end a process whose connection is lost while it asks for a key that has moved", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => void process.off("unhandledRejection", unhandled));
    const connection = openConnection(cluster.url, "retrying", () => {}) as Cluster;
    const resharding = startResharding(cluster.shards.map(({ master }) => master.url));
    try {
      await connection.set("{lost}:key", "value");
      const slot = await resharding.open("{lost}:key");
      await slot.moveKeys(1);
      for (const client of [connection, connection.duplicate()]) {
        expect(await client.get("{lost}:key")).toBe("value");
        await loseWhileAsking(client, slot.targetPort);
      }
      await slot.close();
    } finally {
      resharding.stop();
      connection.disconnect();
    }
    expect(unhandled).not.toHaveBeenCalled();
  }, 120_000);
});

describe("a connection to a cluster that is closed", () => {
  it("ends, even if a command is being redirected", async () => {
    const connection = openConnection(cluster.url, "retrying", () => {}) as Cluster;
    await connection.set("key", "value");
    const other = connection.duplicate();
    expect(await other.get("key")).toBe("value");
    for (const client of [connection, other]) {
      const { reply } = await redirected(client, "key");
      const ended = new Promise((resolve) => client.once("end", resolve));
      client.disconnect();
      await ended;
      await expect(reply).rejects.toThrow("Connection is closed.");
    }
  });

  it("refuses commands", async () => {
    const connection = openConnection(cluster.url, "retrying", () => {}) as Cluster;
    await connection.set("key", "value");
    const nodes = connection.nodes();
    connection.disconnect();
    await until("every node has ended", () => nodes.every(({ status }) => status === "end"));
    await endOfTurn();
    await expect(connection.get("key")).rejects.toThrow("Connection is closed.");
  });
});

/** Disconnects a client whose question is under way to a master that hangs. */
async function loseWhileAsking(client: Cluster, port: number): Promise<void> {
  const target = cluster.shards.find(({ master }) => master.port === port)?.master;
  const node = client.nodes().find(({ options }) => options.port === port);
  if (target === undefined || node === undefined) throw new Error("The target is unknown");
  process.kill(target.pid, "SIGSTOP");
  try {
    const read = client.get("{lost}:key").catch(() => "lost");
    const asked = () => (node as unknown as { commandQueue: { length: number } }).commandQueue.length > 0;
    await until("the question is under way", asked);
    client.disconnect();
    expect(await read).toBe("lost");
    await endOfTurn();
  } finally {
    process.kill(target.pid, "SIGCONT");
  }
}

/** Sends a command to the wrong master, and waits until that has answered where the key is: the command is soon sent again. */
async function redirected(client: Cluster, key: string): Promise<{ readonly reply: Promise<unknown> }> {
  const slots = (client as unknown as { slots: string[][] }).slots;
  const right = slots[slotOf(key)]?.[0];
  const wrong = slots.find(([node]) => node !== undefined && node !== right);
  if (wrong === undefined) throw new Error("There is no other master");
  slots[slotOf(key)] = wrong;
  const handle = client.handleError.bind(client);
  return await new Promise((resolve) => {
    client.handleError = (error, ttl, handlers) => {
      handle(error, ttl, handlers);
      resolve({ reply });
    };
    const reply = client.get(key);
    reply.catch(() => {});
  });
}
