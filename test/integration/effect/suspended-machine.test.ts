import { defineJob } from "holdfast";
import { afterEach, expect, inject, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { onFailpoint } from "../../../src/core/failpoints.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { openConnection, whenReady } from "../../../src/platform/redis/connection.ts";
import { watchFitness } from "../../../src/platform/redis/fitness/fitness.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

/** The time of day goes on while a machine is suspended, the monotonic clock stands still. */
function suspendMachine(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
}

const job = defineJob({
  type: "pay",
  payload: z.null(),
  result: z.null(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 60_000,
  effects: { charge: { timeoutMs: 30_000, inDoubt: "hold" } },
});

afterEach(() => {
  vi.useRealTimers();
  onFailpoint(async () => {});
});

it("an effect does not begin whose reservation was answered before the machine was suspended", async () => {
  const attempts: number[] = [];
  const handler = job.handler(async ({ effect, attempt }) => {
    try {
      await effect("charge", async () => void attempts.push(attempt));
    } finally {
      vi.useRealTimers();
    }
    return null;
  });
  let isFirst = true;
  onFailpoint(async (point) => {
    if (point !== "reserve:after" || !isFirst) return;
    isFirst = false;
    suspendMachine(31_000);
  });
  const service = createService(applicationOf(handler), { REDIS_URL: inject("redisUrl") });
  await service.startWorker();
  const producer = await service.createProducer();

  const { id } = await producer.submit(job, null, { idempotencyKey: "order-1" });

  await untilState(producer, id, "completed");
  expect(attempts).toEqual([2]);
});

it("an effect for which its handler did not wait does not begin once the process was paused for longer than its lock", async () => {
  let deliveries = 0;
  const ran: number[] = [];
  const handler = job.handler(async ({ effect }) => {
    deliveries += 1;
    const delivery = deliveries;
    const charged = effect("charge", async () => void ran.push(delivery));
    if (delivery > 1) await charged;
    return null;
  });
  let isFirst = true;
  onFailpoint(async (point) => {
    if (point !== "reserve:after" || !isFirst) return;
    isFirst = false;
    const goesOnAt = performance.now() + 1_100;
    while (performance.now() < goesOnAt);
  });
  const variables = { REDIS_URL: inject("redisUrl"), HOLDFAST_LOCK_MS: "1000" };
  const service = createService(applicationOf(handler), variables);
  await service.startWorker();
  const producer = await service.createProducer();

  const { id } = await producer.submit(job, null, { idempotencyKey: "order-1" });

  await untilState(producer, id, "completed", "failed");
  expect(ran).toEqual([2]);
});

it("settings of Redis are read again before anything is acknowledged after the machine was suspended", async () => {
  const url = inject("redisUrl");
  const client = openConnection(url, "fail-fast", () => {});
  onTestFinished(() => client.disconnect());
  await whenReady(client, 5_000);
  const settings = readSettings({ REDIS_URL: url, HOLDFAST_DURABILITY: "memory" });
  const fitness = watchFitness(client, {
    ...settings,
    HOLDFAST_DURABILITY: { level: "memory", replicas: 0 },
  });
  onTestFinished(() => fitness.stop());
  expect(fitness.confirm()).toBeUndefined();

  suspendMachine(10_000);

  const checked = fitness.confirm();
  expect(checked).toBeInstanceOf(Promise);
  await checked;
});
