import { randomUUID } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { INTERNAL_QUEUE } from "../../../src/core/job/internal-queue.ts";
import { fingerprintSecretKey } from "../../../src/platform/redis/encryption/shared-secret.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const noting = defineJob({
  type: "noting",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 60_000,
  effects: { note: { timeoutMs: 30_000, inDoubt: "hold" } },
});

/** A service whose job records outside Redis that its effect ran; each effect ends when the gate is open. */
async function notingService(variables: Variables = {}, server?: RedisServer) {
  const store = server ?? (await startRedisServer());
  onTestFinished(() => store.stop());
  const gate = latch();
  const noted: string[] = [];
  const handler = noting.handler(({ effect, idempotencyKey }) =>
    effect("note", async () => {
      noted.push(idempotencyKey);
      await gate.opened;
    }),
  );
  const service = createService(applicationOf(handler), {
    REDIS_URL: store.url,
    HOLDFAST_LOCK_MS: "1000",
    HOLDFAST_PREFIX: `loss-${randomUUID()}`,
    ...variables,
  });
  return { server: store, gate, noted, service };
}

const submission = (idempotencyKey: string) => ({ type: "noting", payload: null, idempotencyKey });
/** The API begins the epoch of its own queue by itself, soon after its start: it is lost, too, if it was there already. */
const ofApplication = (queues: unknown) => (queues as string[]).filter((queue) => queue !== INTERNAL_QUEUE);
const rolledBack = { status: 503, body: { code: "STORE_ROLLED_BACK" } };

describe.concurrent("a Redis that loses data while an effect runs", withProcesses, () => {
  it("accepts nothing until a person accepts the loss; the effect is then in doubt, not repeated", async () => {
    const { gate, noted, service } = await notingService();
    const { url } = await service.startApi();
    await service.startWorker();
    const submit = (key: string) => post(`${url}/jobs`, submission(key));
    const first = await submit("k");
    await until("the effect runs", () => noted.length === 1);

    await service.connect().flushall();

    const refused = await submit("k");
    expect(refused).toMatchObject(rolledBack);
    expect(refused.body.detail).toMatch(/nothing was stored.*again is safe/);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await get(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { reasons: [expect.stringMatching(/^what default has acknowledged: .*emptied.*accept-loss/)] },
    });
    await until("the effect is in doubt", async () => {
      const doubts = JSON.stringify((await get(`${url}/doubts`)).body);
      return doubts.includes(first.body.id) && doubts.includes("lost its reservation");
    });
    expect(await submit("other")).toMatchObject(rolledBack);
    gate.open();

    const accepted = await post(`${url}/store/accept-loss`, { evidence: "somebody emptied it" });

    expect(accepted.status).toBe(200);
    expect(ofApplication(accepted.body.accepted)).toEqual(["default"]);
    const repeated = await post(`${url}/store/accept-loss`, { evidence: "again" });
    expect(ofApplication(repeated.body.accepted)).toEqual([]);
    const again = await until("jobs are accepted", async () => {
      const answer = await submit("k");
      return answer.status === 202 && answer;
    });
    const producer = await service.createProducer();
    expect(await untilState(producer, again.body.id, "failed")).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
    });
    expect(noted).toEqual(["k"]);
    const entries = (await get(`${url}/audit`)).body.entries as { queue: string }[];
    // The internal queue has no name here.
    expect(entries.filter(({ queue }) => queue !== "")).toMatchObject([
      { as: "loss-accepted", evidence: "somebody emptied it", queue: "default" },
    ]);
    expect(await get(`${url}/health/ready`)).toMatchObject({ status: 200 });
  });

  it("is accepted automatically if only memory is promised, and the effect is still in doubt", async () => {
    const { gate, noted, service } = await notingService({ HOLDFAST_DURABILITY: "memory" });
    const producer = await service.createProducer();
    await service.startWorker();
    await producer.submit(noting, null, { idempotencyKey: "k" });
    await until("the effect runs", () => noted.length === 1);

    await service.connect().flushall();
    gate.open();

    const { id } = await until("jobs are accepted", () =>
      producer.submit(noting, null, { idempotencyKey: "k" }).catch(() => undefined),
    );
    expect(await untilState(producer, id, "failed")).toMatchObject({ error: { code: "EFFECT_IN_DOUBT" } });
    expect(noted).toEqual(["k"]);
  });

  it("is given again what it has lost of each type, and the secret of contents", async () => {
    const { service } = await notingService({ HOLDFAST_DURABILITY: "memory" });
    const producer = await service.createProducer();
    const submit = (from: typeof producer) => from.submit(noting, null, { idempotencyKey: "k" });
    await submit(producer);
    const redis = service.connect();

    await redis.flushall();

    const { id } = await until("jobs are accepted", () => submit(producer).catch(() => undefined));
    expect(await redis.hget(`${service.env.HOLDFAST_PREFIX}:queues`, "noting")).toBe("default");
    expect(await submit(await service.createProducer())).toMatchObject({ id, duplicate: true });
  });

  it("shows the doubt with the job if the job still exists", async () => {
    const { gate, noted, service } = await notingService();
    const { url } = await service.startApi();
    await service.startWorker();
    const { body } = await post(`${url}/jobs`, submission("k"));
    await until("the effect runs", () => noted.length === 1);
    const store = service.connect();
    const prefix = service.env.HOLDFAST_PREFIX;

    // As if Redis had returned to a state with the job and without its effect.
    await store.del(queueKeys(prefix, "default").ledger(dedupKeyOf("noting", "k")));
    await store.hdel(queueKey(prefix, "default", body.id), "dedupKey");
    await store.hset(queueKeys(prefix, "default").epoch, "count", 0);

    await until("its effect is in doubt", async () => {
      const { effects } = (await get(`${url}/jobs/${body.id}/status`)).body;
      return JSON.stringify(effects).includes('"in-doubt"');
    });
    gate.open();
  });
});

describe.concurrent("a Redis that is restored from an older copy of its data", withProcesses, () => {
  it("is noticed by processes that ran meanwhile, and by those that start later", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-loss-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const older = await mkdtemp(join(tmpdir(), "holdfast-older-"));
    onTestFinished(() => rm(older, { recursive: true, force: true }));
    const { server, gate, noted, service } = await notingService({}, await startRedisServer({ directory }));
    gate.open();
    const { url } = await service.startApi();
    const worker = await service.startWorker();
    const producer = await service.createProducer();
    const submit = (key: string) => post(`${url}/jobs`, submission(key));
    await submit("before");
    await until("the first is done", () => noted.length === 1);
    await server.kill();
    await cp(directory, older, { recursive: true });
    await server.restart();
    const { body } = await until("jobs are accepted", async () => {
      const answer = await submit("between");
      return answer.status === 202 && answer;
    });
    await untilState(producer, body.id, "completed");
    await worker.stop();

    await server.kill();
    await rm(directory, { recursive: true });
    await cp(older, directory, { recursive: true });
    await server.restart();

    await until("Redis is back", async () => (await submit("between")).body.code === "STORE_ROLLED_BACK");
    expect(await get(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { reasons: [expect.stringMatching(/: found \d changes are lost/)] },
    });
    await service.startWorker();
    const late = await service.createProducer();
    await expect(late.submit(noting, null, { idempotencyKey: "between" })).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
    });
    expect(noted).toEqual(["before", "between"]);

    const { code, stdout } = await run(
      ["store", "accept-loss", "--evidence", "the backup is all there is"],
      service.env,
    );

    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^accepted for default/),
    });
    await until("jobs are accepted", async () => (await submit("after")).status === 202);
    await until("and run", () => noted.includes("after"));
  });

  it("is noticed by a process that did not run when it happened", async () => {
    const { server, gate, service } = await notingService();
    gate.open();
    const api = await service.startApi();
    const worker = await service.startWorker();
    await post(`${api.url}/jobs`, submission("k"));
    await Promise.all([api.stop(), worker.stop()]);

    await service.connect().flushall();
    await server.restart();

    const { url } = await service.startApi();
    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject(rolledBack);
  });

  it("is noticed although Redis has another address now: its epoch names it", async () => {
    const { server, service } = await notingService();
    const api = await service.startApi();
    await post(`${api.url}/jobs`, submission("k"));
    await api.stop();
    await service.connect().hset(queueKeys(service.env.HOLDFAST_PREFIX, "default").epoch, "count", 0);

    const renamed = await notingService({
      ...service.env,
      REDIS_URL: server.url.replace("127.0.0.1", "localhost"),
    });

    const { url } = await renamed.service.startApi();
    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject(rolledBack);
  });
});

describe.concurrent("a Redis that loses one copy of the fingerprints' secret", withProcesses, () => {
  it.each(["its own", "the queue's"])("still recognises the content of a used key: %s", async (which) => {
    const { service } = await notingService();
    const api = await service.startApi();
    const { status, body } = await post(`${api.url}/jobs`, submission("k"));
    expect(status).toBe(202);
    await api.stop();
    const { HOLDFAST_PREFIX: prefix } = service.env;
    const keys = [fingerprintSecretKey(prefix), queueKeys(prefix, "default").fingerprintSecret] as const;
    const store = service.connect();

    expect(await store.del(which === "its own" ? keys[0] : keys[1])).toBe(1);

    const { url } = await service.startApi();
    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject({ status: 200, body: { id: body.id } });
    await until("both copies are there again", async () => (await store.exists(...keys)) === 2);
    expect(await store.get(keys[0])).toBe(await store.get(keys[1]));
  });
});
