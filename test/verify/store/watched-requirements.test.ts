import { createProducer, defineJob } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { WithLogger } from "../../../src/platform/lib/logger.ts";
import { application, echo } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import {
  applicationOf,
  createService,
  testEnvironment,
  untilState,
  type Variables,
} from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const good = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
  maxmemory: "0",
};
const flaws = [
  ["appendonly", "no"],
  ["appendfsync", "everysec"],
  ["no-appendfsync-on-rewrite", "yes"],
  ["maxmemory-policy", "allkeys-lru"],
] as const;

/** A Redis of the test's own, which is fit, and what changes its settings. */
async function startFit() {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const serviceOf = (app = application, variables: Variables = {}) =>
    createService(app, { REDIS_URL: server.url, HOLDFAST_LOCK_MS: "1000", ...variables });
  const redis = serviceOf().connect();
  async function configure(settings: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(settings)) await redis.config("SET", name, value);
    await until("the log is complete", async () =>
      (await redis.info()).includes("aof_rewrite_in_progress:0"),
    );
  }
  await configure(good);
  return { server, serviceOf, configure };
}

let keys = 0;
const submission = () => {
  keys += 1;
  return { type: echo.type, payload: 1, idempotencyKey: `key-${keys}` };
};

/** A log that keeps its lines. */
function keptLog() {
  const lines: { level: string; code?: unknown; message: string }[] = [];
  const write = (level: string) => (fields: object | string, message?: string) =>
    void lines.push({
      level,
      ...(typeof fields === "object" && "code" in fields && { code: fields.code }),
      message: typeof fields === "string" ? fields : (message ?? ""),
    });
  const logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    fatal: write("fatal"),
    child: () => logger,
  } as NonNullable<WithLogger["logger"]>;
  return { lines, logger };
}

// Each change is noticed within five seconds: they wait together.
describe.concurrent("a Redis that stops being fit while processes run", () => {
  it.each(flaws)(
    "because of %s %s accepts no submission within 5 s, until it is fit again, and says so once",
    async (name, value) => {
      const { server, serviceOf, configure } = await startFit();
      const { lines, logger } = keptLog();
      const api = await startApi(application, testEnvironment({ REDIS_URL: server.url }), { logger });
      onTestFinished(() => api.stop());
      const producer = await serviceOf().createProducer();
      const submit = () => post(`${api.url}/jobs`, submission());
      expect((await submit()).status).toBe(202);
      const changedAt = performance.now();

      await configure({ [name]: value });

      const refused = await until("it is refused", async () => {
        const answer = await submit();
        return answer.status !== 202 && answer;
      });
      expect(performance.now() - changedAt).toBeLessThan(5_000);
      expect(refused).toMatchObject({ status: 503, body: { code: "STORE_UNFIT" } });
      expect(refused.headers.get("retry-after")).toBe("5");
      expect(refused.body.detail).toMatch(
        new RegExp(`^${name}: .*found ${value}.*Remedy: CONFIG SET ${name}.*nothing was stored`),
      );
      await until("the producer refuses, too", async () =>
        producer.submit(echo, 1, { idempotencyKey: submission().idempotencyKey }).then(
          () => false,
          ({ code }) => code === "STORE_UNFIT",
        ),
      );
      expect((await submit()).body.code).toBe("STORE_UNFIT");
      await configure(good);
      await until("it is accepted", async () => (await submit()).status === 202);
      expect(lines.filter(({ code }) => code === "STORE_UNFIT")).toEqual([
        { level: "error", code: "STORE_UNFIT", message: expect.stringContaining(name) },
      ]);
      expect(lines.filter(({ message }) => message.includes("fit again"))).toHaveLength(1);
    },
  );

  it("lets no effect begin, and uses up no attempt", async () => {
    const { serviceOf, configure } = await startFit();
    const acting = defineJob({
      type: "acting",
      payload: z.unknown(),
      result: z.unknown(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 50 } },
      timeoutMs: 30_000,
      effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
    });
    const acted: string[] = [];
    const handler = acting.handler(({ effect, idempotencyKey }) =>
      effect("act", async () => void acted.push(idempotencyKey)),
    );
    const app = applicationOf(handler);
    const { lines, logger } = keptLog();
    const { env, ...service } = serviceOf(app);
    const producer = await service.createProducer();
    const { id } = await producer.submit(acting, null, { idempotencyKey: "k", delayMs: 4_000 });
    const worker = await startWorker(app, env, { logger });
    onTestFinished(() => worker.stop());

    await configure({ appendfsync: "everysec" });

    await until("the worker has seen it", () => lines.some(({ code }) => code === "STORE_UNFIT"));
    await until("the job is deferred", () =>
      lines.some(({ message, code }) => message === "job deferred" && code === "STORE_UNFIT"),
    );
    expect(acted).toEqual([]);
    // It is looked at again every few seconds, and active meanwhile.
    await untilState(producer, id, "delayed");
    expect(await producer.status(id)).toMatchObject({ attemptsMade: 0 });
    await configure(good);
    await untilState(producer, id, "completed");
    expect(acted).toEqual(["k"]);
  });
});

describe("a Redis that has evicted keys", () => {
  it("is taken for one that has lost data, until a person accepts it", async () => {
    const { serviceOf, configure } = await startFit();
    const service = serviceOf();
    const { url } = await service.startApi();
    const redis = service.connect();
    const submit = () => post(`${url}/jobs`, submission());
    expect((await submit()).status).toBe(202);

    await configure({ maxmemory: "1", "maxmemory-policy": "volatile-ttl" });
    await redis.set(`${service.env.HOLDFAST_PREFIX}:other`, "x", "PX", 60_000).catch(() => {});
    await until("it has evicted", async () => /evicted_keys:[1-9]/.test(await redis.info("stats")));
    await configure(good);

    const refused = await until("it is refused as lost", async () => {
      const answer = await submit();
      return answer.body.code === "STORE_ROLLED_BACK" && answer;
    });
    expect(refused.status).toBe(503);
    expect(await get(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { reasons: [expect.stringMatching(/^what default has acknowledged: .*evicted/)] },
    });
    await expect(
      createProducer(application, service.env).then((producer) =>
        producer.submit(echo, 1, { idempotencyKey: "later" }).finally(() => producer.stop()),
      ),
    ).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
    await post(`${url}/store/accept-loss`, { evidence: "looked at it" });
    await until("it is accepted", async () => (await submit()).status === 202);
  });
});
