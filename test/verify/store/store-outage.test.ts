import { setTimeout as sleep } from "node:timers/promises";
import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { application } from "../../support/application.ts";
import { type Answer, get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

/** A service on its own Redis, which the test may damage. */
async function serviceOnOwnStore(variables: Variables = {}) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  return { server, service: createService(application, { REDIS_URL: server.url, ...variables }) };
}

const submission = (idempotencyKey: string) => ({ type: "echo", payload: idempotencyKey, idempotencyKey });

const guarded = defineJob({
  type: "guarded",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 30_000,
  effects: { note: { timeoutMs: 10_000, inDoubt: "hold" } },
});

/** The answer, and its time. */
async function timed(asking: Promise<Answer>) {
  const asked = performance.now();
  const answer = await asking;
  return { ...answer, tookMs: performance.now() - asked };
}

/** Clients that each send one submission after another, and retry until it is acknowledged. */
function startLoad(url: string, clients: number) {
  const acknowledged = new Map<string, string>();
  let isOver = false;
  const client = async (name: number) => {
    for (let count = 0; !isOver; count += 1) {
      const key = `${name}-${count}`;
      for (let isIn = false; !isIn; ) {
        const { status, body } = await post(`${url}/jobs`, submission(key));
        isIn = status === 202 || status === 200;
        if (isIn) acknowledged.set(key, body.id);
        else await sleep(20); // a client's pause before a retry
      }
    }
  };
  const running = Promise.all(Array.from({ length: clients }, (_, name) => client(name)));
  const end = () => {
    isOver = true;
    return running;
  };
  return { acknowledged, end };
}

describe("a Redis that is killed and restarted under load", () => {
  it("costs no acknowledged job, and API and worker resume by themselves", async () => {
    const { server, service } = await serviceOnOwnStore({ HOLDFAST_LOCK_MS: "1000" });
    const { url } = await service.startApi();
    await service.startWorker();
    const load = startLoad(url, 8);
    await until("the load is under way", () => load.acknowledged.size >= 100);

    await server.kill();

    const refused = await timed(post(`${url}/jobs`, submission("meanwhile")));
    expect(refused).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(refused.body.detail).toMatch(/same idempotency key again is safe/);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(JSON.stringify(refused.body)).not.toMatch(/redis|127\.0\.0\.1|ECONN/i);
    const [anyId = ""] = load.acknowledged.values();
    const unread = await timed(get(`${url}/jobs/${anyId}/status`));
    expect(unread).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(Math.max(refused.tookMs, unread.tookMs)).toBeLessThan(2_000);
    expect(await get(`${url}/health/live`)).toMatchObject({ status: 200 });
    expect(await get(`${url}/health/ready`)).toMatchObject({ status: 503, body: { status: "not ready" } });

    await server.restart();
    const before = load.acknowledged.size;
    await until("the load continues", () => load.acknowledged.size >= before + 100);
    await load.end();

    expect(await get(`${url}/health/ready`)).toMatchObject({ status: 200, body: { status: "ready" } });
    const producer = await service.createProducer();
    for (const [key, id] of load.acknowledged) {
      expect(await untilState(producer, id, "completed")).toMatchObject({ result: key, error: null });
    }
    expect(new Set(load.acknowledged.values()).size).toBe(load.acknowledged.size);
    const { completed, failed } = await service.openBareQueue().getJobCounts();
    expect([completed, failed]).toEqual([load.acknowledged.size, 0]);
  });
});

describe("a Redis that does not answer", () => {
  it("gives clients a 503 within 2 s, and makes one job of their retries", async () => {
    const { server, service } = await serviceOnOwnStore();
    const { url } = await service.startApi();
    const { id } = (await post(`${url}/jobs`, submission("before"))).body;
    process.kill(server.pid, "SIGSTOP");

    const [refused, unread, notReady] = await Promise.all([
      timed(post(`${url}/jobs`, submission("k"))),
      timed(get(`${url}/jobs/${id}/status`)),
      timed(get(`${url}/health/ready`)),
    ]);

    expect(refused).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(refused.body.detail).toMatch(/whether the job was accepted is unknown.*again is safe/);
    expect(unread).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(notReady.status).toBe(503);
    for (const { tookMs } of [refused, unread, notReady]) expect(tookMs).toBeLessThan(2_000);

    process.kill(server.pid, "SIGCONT");
    const again = await until("Redis answers", async () => {
      const answer = await post(`${url}/jobs`, submission("k"));
      return answer.status < 300 && answer;
    });
    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject({
      status: 200,
      body: { id: again.body.id },
    });
    expect(await service.openBareQueue().getJobCounts()).toMatchObject({ waiting: 2 });
  });
});

describe("a Redis that is nearly full", () => {
  it("refuses new jobs, answers duplicates, and lets running jobs end with their effects", async () => {
    const gate = latch();
    const noted: string[] = [];
    const handler = guarded.handler(async ({ effect, jobId }) => {
      await gate.opened;
      return await effect("note", async () => noted.push(jobId));
    });
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const service = createService(applicationOf(handler), {
      REDIS_URL: server.url,
      HOLDFAST_LOCK_MS: "1000",
    });
    const { url } = await service.startApi();
    await service.startWorker();
    const submit = (idempotencyKey: string) =>
      post(`${url}/jobs`, { type: "guarded", payload: null, idempotencyKey });
    const first = await submit("first");
    const store = service.connect();
    await store.config("SET", "maxmemory", "64mb");
    await store.setrange("filler", 55 * 1_048_576, "x");

    let others = 0;
    const refused = await until("a job is refused", async () => {
      others += 1;
      const answer = await submit(`other-${others}`);
      return answer.status === 503 && answer;
    });

    expect(others).toBeLessThanOrEqual(8);
    expect(refused).toMatchObject({ status: 503, body: { code: "STORE_FULL" } });
    expect(refused.body.detail).toMatch(/nothing was stored.*again is safe/);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await submit("first")).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(await get(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { reasons: [expect.stringMatching(/^memory: .*new jobs are accepted up to 56 MiB/)] },
    });
    gate.open();
    const producer = await service.createProducer();
    await untilState(producer, first.body.id, "completed");
    expect(noted.filter((id) => id === first.body.id)).toHaveLength(1);
    await store.del("filler");
    expect(await submit(`other-${others}`)).toMatchObject({ status: 202 });
  });
});

describe("a Redis that is completely full", () => {
  it("gives clients a 503 with the reason, and accepts jobs again once there is room", async () => {
    const { service } = await serviceOnOwnStore();
    const { url } = await service.startApi();
    await post(`${url}/jobs`, submission("before"));
    const store = service.connect();
    await store.config("SET", "maxmemory", "1");

    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject({
      status: 503,
      body: { code: "STORE_FULL" },
    });

    await store.config("SET", "maxmemory", "0");
    expect(await post(`${url}/jobs`, submission("k"))).toMatchObject({ status: 202 });
  });
});

describe.concurrent("while Redis is down", withProcesses, () => {
  it("API and worker can be stopped", async () => {
    const { server, service } = await serviceOnOwnStore({ HOLDFAST_STOP_GRACE_MS: "100" });
    const [api, worker] = [await service.startApi(), await service.startWorker()];
    await server.kill();

    await Promise.all([api.stop(), worker.stop()]);
  });

  it("a worker process ends at SIGTERM", async () => {
    const { server, service } = await serviceOnOwnStore({ HOLDFAST_STOP_GRACE_MS: "100" });
    const worker = await launchRole("worker", service.env);
    await server.kill();

    worker.kill("SIGTERM");

    expect(await worker.ended).toMatchObject({ code: 0 });
  });
});
