import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** Each key takes as long to rewrite as a test may need. */
const KEYS = 50;
const SLOW_US = "100000";

function connectTo(server: RedisServer): Redis {
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  return client;
}

async function startFilled(appendonly: "yes" | "no") {
  const server = await startRedisServer({ args: ["--appendonly", appendonly] });
  onTestFinished(() => server.stop());
  const redis = connectTo(server);
  for (let key = 0; key < KEYS; key += 1) await redis.set(`filler-${key}`, key);
  const start = async () => {
    const producer = await createProducer(application, testEnvironment({ REDIS_URL: server.url }));
    await producer.stop();
  };
  const rewrites = async (delay: string) => {
    await redis.config("SET", "rdb-key-save-delay", delay);
    return await until("no log is rewritten", async () =>
      (await redis.info("persistence")).includes("aof_rewrite_in_progress:0"),
    );
  };
  const isRewriting = async () => (await redis.info("persistence")).includes("aof_rewrite_in_progress:1");
  return { redis, start, rewrites, isRewriting };
}

const incomplete = {
  code: "STORE_UNFIT",
  message: expect.stringMatching(
    /^append-only log: .*found still being written for the first time.*Remedy: wait/,
  ),
};

it("a log that is still being written for the first time is refused, until it is complete", async () => {
  const { redis, start, rewrites, isRewriting } = await startFilled("no");
  await redis.config("SET", "rdb-key-save-delay", SLOW_US);
  await redis.config("SET", "appendonly", "yes");

  await expect(start()).rejects.toMatchObject(incomplete);

  expect(await isRewriting()).toBe(true);
  await redis.config("SET", "appendonly", "no");
  await rewrites("0");
  await redis.config("SET", "appendonly", "yes");
  await until("the log is complete", async () => !(await isRewriting()));
  await start();
});

it("so is one that was switched off and on again", async () => {
  const { redis, start, isRewriting } = await startFilled("yes");
  await start();
  await redis.config("SET", "appendonly", "no");
  await redis.config("SET", "rdb-key-save-delay", SLOW_US);
  await redis.config("SET", "appendonly", "yes");

  await expect(start()).rejects.toMatchObject(incomplete);

  expect(await isRewriting()).toBe(true);
});

it("a complete log that is being rewritten is accepted", async () => {
  const { redis, start, isRewriting } = await startFilled("yes");
  await redis.config("SET", "rdb-key-save-delay", SLOW_US);
  await redis.bgrewriteaof();

  await start();

  expect(await isRewriting()).toBe(true);
});
