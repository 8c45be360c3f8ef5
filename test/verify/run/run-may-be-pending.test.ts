import { createServer, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { defineJob } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import application, { charging } from "../../support/fixtures/paused-worker.config.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = defineJob({
  type: "charging",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: {
    charge: { timeoutMs: 300, inDoubt: "hold" },
    other: { timeoutMs: 300, inDoubt: "hold" },
  },
});

type Effect = (call: { readonly fence: number }) => Promise<unknown>;

/** A service with a job whose effect runs `first`, and then succeeds. */
async function start(first: Effect, name: "charge" | "other" = "charge") {
  const fences: number[] = [];
  const handler = job.handler(async ({ effect }) => {
    const run: Effect = fences.length === 0 ? first : async () => "again";
    return await effect(name, (call) => {
      fences.push(call.fence);
      return run(call);
    });
  });
  const service = createService(applicationOf(handler), { HOLDFAST_STOP_GRACE_MS: "100" });
  const worker = await service.startWorker();
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
  await untilState(producer, id, "failed");
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  return {
    service,
    worker,
    producer,
    url,
    id,
    keys,
    fences,
    redis: service.connect(),
    ledger: keys.ledger(dedupKeyOf("charging", "k")),
    async doubt() {
      const [found] = (await get(`${url}/doubts`)).body.doubts as Record<string, unknown>[];
      return found;
    },
    effects: async () => (await get(`${url}/jobs/${id}`)).body.effects,
    resolve: async (as: "done" | "not-done", more: object = {}) =>
      await post(`${url}/jobs/${id}/effects/${name}/resolve`, { as, evidence: "a test", ...more }),
    resolveMany: async (more: object) =>
      await post(`${url}/doubts/resolve`, { as: "not-done", evidence: "a test", ...more }),
  };
}

/** An effect that ignores its signal until the latch is open. */
function ignoring() {
  const gate = latch();
  const run = () => gate.opened;
  return { gate, run };
}

const lost = () => Promise.reject(Object.assign(new Error("hang up"), { code: "ECONNRESET" }));

describe("a doubt whose run ignores its signal", () => {
  it("says that it may still be under way, until it has returned", async () => {
    const { gate, run } = ignoring();
    const { doubt, effects } = await start(run);

    const pending = { mayStillRun: true, workerSeenAt: expect.any(String) };
    expect(await doubt()).toMatchObject(pending);
    expect(await effects()).toMatchObject([{ state: "in-doubt", ...pending }]);

    gate.open();
    await until("it has returned", async () => (await doubt())?.mayStillRun === false);
    expect(await effects()).toMatchObject([{ mayStillRun: false }]);
  });

  it("is not resolved as not done without a confirmation, one by one or together", async () => {
    const { gate, run } = ignoring();
    const { id, doubt, resolve, resolveMany, producer, fences } = await start(run);

    expect(await resolve("not-done")).toMatchObject({ status: 409, body: { code: "RUN_MAY_BE_PENDING" } });
    const kept = { resolved: 0, remaining: 0, skipped: [{ jobId: id, code: "RUN_MAY_BE_PENDING" }] };
    expect((await resolveMany({ all: true })).body).toMatchObject(kept);
    expect((await resolveMany({ filter: { type: "charging" } })).body).toMatchObject(kept);
    expect((await resolveMany({ ids: [{ jobId: id, effect: "charge" }] })).body).toMatchObject(kept);
    expect(await doubt()).toMatchObject({ jobId: id });
    expect(fences).toHaveLength(1);

    expect(await resolve("not-done", { confirm: true })).toMatchObject({ status: 200 });
    await untilState(producer, id, "completed");
    const [first = 0, second = 0] = fences;
    expect(second).toBeGreaterThan(first);
    gate.open();
  });

  it("is not resolved as not done without one either, once it has succeeded after all, and keeps its result", async () => {
    const { gate, run } = ignoring();
    const { id, doubt, resolve, resolveMany, producer, fences } = await start(async () => {
      await run();
      return "late";
    });

    gate.open();
    await until("it has returned", async () => (await doubt())?.mayStillRun === false);
    expect(await doubt()).toMatchObject({ report: "done" });
    expect(await resolve("not-done")).toMatchObject({ status: 409, body: { code: "RUN_SAID_DONE" } });
    expect((await resolveMany({ all: true })).body).toMatchObject({
      resolved: 0,
      skipped: [{ jobId: id, code: "RUN_SAID_DONE" }],
    });

    expect(await resolve("done")).toMatchObject({ status: 200, body: { job: "retried" } });
    await untilState(producer, id, "completed");
    expect(await producer.status(id)).toMatchObject({ result: "late" });
    expect(fences).toHaveLength(1);
  });

  it("says nothing of a success where it has failed after all", async () => {
    const { gate, run } = ignoring();
    const { doubt, resolve } = await start(async () => {
      await run();
      throw new Error("it gave up");
    });

    gate.open();
    await until("it has ended", async () => (await doubt())?.mayStillRun === false);
    expect(await doubt()).toMatchObject({ report: null });
    expect(await resolve("not-done")).toMatchObject({ status: 200 });
  });

  it("is not resolved as not done by who looked before it ended, or at an earlier doubt, unless they confirm", async () => {
    const { gate, run } = ignoring();
    const { doubt, resolve } = await start(async () => {
      await run();
      throw new Error("no answer came");
    });

    const { since } = (await doubt()) ?? {};
    const seen = { expect: { since, mayStillRun: true } };
    expect(await resolve("not-done", seen)).toMatchObject({ body: { code: "RUN_MAY_BE_PENDING" } });
    gate.open();
    await until("it has ended", async () => (await doubt())?.mayStillRun === false);

    const changed = { status: 409, body: { code: "CHANGED_MEANWHILE" } };
    expect(await resolve("not-done", seen)).toMatchObject(changed);
    const earlier = { expect: { since: "2020-01-01T00:00:00.000Z", mayStillRun: false } };
    expect(await resolve("not-done", earlier)).toMatchObject(changed);
    expect(await resolve("not-done", { expect: { since, mayStillRun: false } })).toMatchObject({
      status: 200,
    });
  });

  it("is resolved together with others where that is confirmed", async () => {
    const { gate, run } = ignoring();
    const { id, resolveMany, producer } = await start(run);

    expect((await resolveMany({ all: true, confirm: true })).body).toMatchObject({
      resolved: 1,
      skipped: [],
    });
    await untilState(producer, id, "completed");
    gate.open();
  });

  it("is resolved as done without one", async () => {
    const { gate, run } = ignoring();
    const { resolve } = await start(run);

    expect(await resolve("done")).toMatchObject({ status: 200 });
    gate.open();
  });

  it("says so also when its worker was stopped, and the process goes on", async () => {
    const { gate, run } = ignoring();
    const { worker, resolve, doubt } = await start(run);
    await worker.stop();

    expect(await doubt()).toMatchObject({ mayStillRun: true });
    expect((await resolve("not-done")).status).toBe(409);
    gate.open();
  });
});

describe("a doubt whose run gave up while its request was on its way", () => {
  it("says that it may still be under way, until that request has ended", async () => {
    const provider = await startProvider();
    const { doubt, resolve } = await start(async () => {
      const giveUp = new Promise((_, reject) => setTimeout(() => reject(new Error("too slow")), 100));
      await Promise.race([fetch(`${provider.url}/before`), giveUp]);
    });

    expect(await doubt()).toMatchObject({ mayStillRun: true });
    expect((await resolve("not-done")).status).toBe(409);
    provider.answer();
    await until("it has ended", async () => (await doubt())?.mayStillRun === false);
    expect((await resolve("not-done")).status).toBe(200);
  });
});

describe("a doubt whose run has returned", () => {
  it("needs no confirmation, although its worker lives", async () => {
    const { doubt, resolve, fences, producer, id } = await start(lost);

    expect(await doubt()).toMatchObject({ mayStillRun: false, workerSeenAt: expect.any(String) });
    expect(await resolve("not-done")).toMatchObject({ status: 200, body: { job: "retried" } });
    await untilState(producer, id, "completed");
    const [first = 0, second = 0] = fences;
    expect(second).toBeGreaterThan(first);
  });

  it("gets a fence above all of its ledger's, whichever effect was resolved last", async () => {
    const { redis, ledger, resolve, fences, producer, id } = await start(lost);
    const ahead = Date.now() + 3_600_000;
    await redis.hset(ledger, "fence", String(ahead));

    await resolve("not-done");
    await untilState(producer, id, "completed");
    expect(fences[1]).toBeGreaterThan(ahead);
  });
});

describe("a doubt whose worker is gone without a word", () => {
  async function gone(seenAt: number | null) {
    const parts = await start(lost);
    const { redis, keys, ledger } = parts;
    const entry = JSON.parse((await redis.hget(ledger, "e:charge")) ?? "{}") as Record<string, unknown>;
    const { isOver: _, ...left } = entry;
    await redis.hset(ledger, "e:charge", JSON.stringify({ ...left, worker: "killed" }));
    if (seenAt !== null) await redis.zadd(keys.workersSeen, seenAt, "killed");
    return parts;
  }

  it("may still run while that worker is remembered: it may only be paused", async () => {
    const { doubt, resolve } = await gone(Date.now() - 60_000);

    expect(await doubt()).toMatchObject({ mayStillRun: true });
    const { status, body } = await resolve("not-done");
    expect(status).toBe(409);
    expect(body.detail).toMatch(/killed was seen 1 min( \d+ s)? ago/);
  });

  it("runs no more once it is not", async () => {
    const { doubt, resolve } = await gone(null);

    expect(await doubt()).toMatchObject({ mayStillRun: false, workerSeenAt: null });
    expect((await resolve("not-done")).status).toBe(200);
  });
});

/** Answers `/before` only when it is let, and counts what it is asked to do. */
async function startProvider() {
  const held: ServerResponse[] = [];
  const acts: number[] = [];
  let isOpen = false;
  const server = createServer(({ url = "" }, response) => {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    if (pathname === "/act") acts.push(Number(searchParams.get("fence")));
    if (pathname === "/before" && !isOpen) held.push(response);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    held,
    acts,
    answer() {
      isOpen = true;
      for (const response of held) response.end();
    },
  };
}

describe("a doubt whose worker is paused in the middle of its effect", withProcesses, () => {
  it("may still run, is confirmed, and gets a higher fence", async () => {
    const provider = await startProvider();
    const config = fileURLToPath(new URL("../../support/fixtures/paused-worker.config.ts", import.meta.url));
    const service = createService(application, { HOLDFAST_CONFIG: config, HOLDFAST_LOCK_MS: "1000" });
    const producer = await service.createProducer();
    const operator = await service.createOperator();
    const paused = await launchRole("worker", service.env);
    const { id } = await producer.submit(charging, provider.url, { idempotencyKey: "k" });
    await until("it is about to act", () => provider.held.length === 1);
    paused.kill("SIGSTOP");
    await service.startWorker();
    await untilState(producer, id, "failed");

    expect(await operator.doubts(0, 10)).toMatchObject([{ jobId: id, mayStillRun: true }]);
    const resolution = { as: "not-done", evidence: "not at the provider", by: "tests" } as const;
    await expect(operator.resolve(id, "charge", resolution)).rejects.toMatchObject({
      code: "RUN_MAY_BE_PENDING",
    });

    provider.answer();
    expect(await operator.resolve(id, "charge", { ...resolution, confirm: true })).toBe("retried");
    await untilState(producer, id, "completed");
    paused.kill("SIGCONT");
    await until("both have acted, as was announced", () => provider.acts.length === 2);
    const [second = 0, first = 0] = provider.acts;
    expect(second).toBeGreaterThan(first);
  });
});
