import { randomBytes } from "node:crypto";
import type { Operator } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";

const MIB = 1_048_576;
const COUNT = 60;
const payload = "x".repeat(MIB - 1_000);
const keyOf = (index: number) => `key-"\\ü-${index}`;
const encrypted = { HOLDFAST_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString("base64")}` };

const large = anyJob({ type: "large" });
const growing = anyJob({ type: "growing" });
const application = applicationOf(
  large.handler(async () => null),
  growing.handler(async () => "x".repeat(60_000)),
);

async function serve(variables: Variables = {}) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const service = createService(application, { REDIS_URL: server.url, ...variables });
  const redis = service.connect();
  const sentBytes = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info("stats"))?.[1]);
  return {
    service,
    redis,
    producer: await service.createProducer(),
    operator: await service.createOperator(),
    sentBytes,
  };
}

type Query = Parameters<Operator["list"]>[0];

async function keysIn(operator: Pick<Operator, "list">, query: Omit<Query, "cursor">): Promise<string[]> {
  const keys: string[] = [];
  for (let cursor: string | undefined | null; cursor !== null; ) {
    const page = await operator.list({ ...query, cursor });
    keys.push(...page.jobs.map(({ idempotencyKey }) => idempotencyKey));
    cursor = page.nextCursor;
  }
  return keys;
}

describe.each<[string, Variables, boolean]>([
  ["plain", {}, false],
  ["encrypted", encrypted, false],
  ["plain, of the version before", {}, true],
  ["encrypted, of the version before", encrypted, true],
])("a list of jobs with large payloads: %s", (_, variables, isOld) => {
  it("shows their keys, and finds parts of them, without reading the payloads", async () => {
    const { service, redis, producer, operator, sentBytes } = await serve(variables);
    const ids: string[] = [];
    for (let index = 0; index < COUNT; index++) {
      const options = { idempotencyKey: keyOf(index), delayMs: 3_600_000 + index };
      ids.push((await producer.submit(large, payload, options)).id);
    }
    if (isOld)
      for (const id of ids) await redis.hdel(queueKey(service.env.HOLDFAST_PREFIX, "default", id), "key");
    const before = await sentBytes();

    expect(await keysIn(operator, { limit: 200 })).toEqual(ids.map((_id, index) => keyOf(index)));
    const withFive = [5, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59].map(keyOf);
    expect(await keysIn(operator, { keyPart: '"\\ü-5', limit: 50 })).toEqual(withFive);

    // What is encrypted as a whole has to be read as a whole.
    if (!isOld || variables !== encrypted) expect((await sentBytes()) - before).toBeLessThan(MIB);
  });
});

describe("a page of jobs", () => {
  it("ends where they are large, and goes on behind them", async () => {
    const { service, producer, operator } = await serve();
    await service.startWorker();
    const count = 80;
    const ids = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const { id } = await producer.submit(growing, index, { idempotencyKey: `g${index}` });
        await untilState(producer, id, "completed");
        return id;
      }),
    );

    const page = await operator.list({ limit: 200 });

    expect(JSON.stringify(page).length).toBeLessThan(4 * MIB);
    expect(page.nextCursor).not.toBeNull();
    expect((await keysIn(operator, { limit: 200 })).sort()).toEqual(
      ids.map((_, index) => `g${index}`).sort(),
    );
  });
});

describe("a large job that another submission replaces", () => {
  it.each<[string, Variables]>([
    ["plain", {}],
    ["encrypted", encrypted],
  ])("has the key of that one: %s", async (_, variables) => {
    const { producer, operator } = await serve(variables);
    const debounce = { key: "document", ms: 3_600_000 };

    for (const [key, content] of [
      ["first", payload],
      ["second", `${payload}y`],
      ["third", "small"],
    ] as const) {
      await producer.submit(large, content, { idempotencyKey: key, debounce });
      expect(await keysIn(operator, { limit: 10 })).toEqual([key]);
    }
  });
});
