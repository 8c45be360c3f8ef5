import type { Producer } from "holdfast";
import type { Api } from "holdfast/server";
import type { Redis } from "ioredis";
import type { Browser } from "playwright-core";
import { type QueueKeys, queueKeys } from "../../src/core/bullmq/store/queue-keys.ts";
import { schedulersKey } from "../../src/roles/schedules/scheduler-heartbeat.ts";
import { launchBrowser } from "./browser.ts";
import { ranBySchedule } from "./ran-by-schedule.ts";
import { startRedisServer } from "./redis-server.ts";
import { createService } from "./service.ts";
import { shopIn, trade, type World } from "./shop.ts";
import { until } from "./until.ts";

export const HOOKS = 130;

interface Group {
  readonly type: string;
  readonly count: number;
  readonly exampleId: string;
}

/** The shop's API, whose console has something to show on each page, and a browser. */
export interface ConsoleShop {
  readonly api: Api;
  readonly browser: Browser;
  readonly producer: Producer;
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly world: World;
  ask<T>(path: string): Promise<T>;
  groupOf(type: string): Promise<Group | undefined>;
  oldestDoubt(): Promise<{ jobId: string; effect: string }>;
  stop(): Promise<void>;
}

export async function openConsoleShop(): Promise<ConsoleShop> {
  const world: World = { isPartnerDown: true };
  const stops: (() => Promise<void>)[] = [];
  const store = await startRedisServer({ args: ["--appendonly", "no"] });
  stops.push(store.stop);
  const service = createService(
    shopIn(world),
    {
      REDIS_URL: store.url,
      HOLDFAST_DURABILITY: "memory",
      HOLDFAST_CONCURRENCY: "20,media=3",
      HOLDFAST_STOP_GRACE_MS: "100",
    },
    (stop) => stops.push(stop),
  );
  const api = await service.startApi();
  const producer = await service.createProducer();
  const redis = service.connect();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  // As if a scheduler ran beside.
  await redis.zadd(schedulersKey(service.env.HOLDFAST_PREFIX), Date.now() + 3_600_000, "vm:9");
  await service.startWorker();
  const [browser] = await Promise.all([
    launchBrowser(),
    trade(producer, { confirmations: 300, invoices: 100, hooks: HOOKS, videos: 12 }),
    ranBySchedule(service.env),
  ]);

  /** A busy machine may answer 503 at first. */
  const ask = <T>(path: string): Promise<T> =>
    until(`GET /${path} is answered`, async () => {
      const response = await fetch(`${api.url}/${path}`);
      return response.ok && ((await response.json()) as T);
    }) as Promise<T>;
  const groupOf = async (type: string) => {
    const { groups } = await ask<{ groups: Group[] }>("failures");
    return groups.find((group) => group.type === type);
  };
  await until("all hooks have failed", async () => (await groupOf("partner-webhook"))?.count === HOOKS);
  return {
    api,
    browser,
    producer,
    redis,
    keys,
    world,
    ask,
    groupOf,
    async oldestDoubt() {
      const { doubts } = await ask<{ doubts: { jobId: string; effect: string }[] }>("doubts?limit=1");
      return doubts[0]!;
    },
    async stop() {
      await browser.close();
      for (const stop of stops.reverse()) await stop();
    },
  };
}
