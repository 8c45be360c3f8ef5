import {
  type Application,
  defineConfig,
  defineJob,
  defineSchedule,
  type Running,
  type StandaloneOperator,
  startScheduler,
} from "holdfast";
import { z } from "zod";
import { readSettings } from "../../src/platform/config/settings.ts";
import { openStoredSchedules } from "../../src/roles/schedules/stored/stored-schedules.ts";
import { plainStores } from "./queue-stores.ts";
import { createService, type Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";
import { until } from "./until.ts";

const plain = {
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
} as const;

/** Two types in two queues, so that a tick that two versions submitted would be two jobs. */
export const report = defineJob({
  type: "report",
  payload: z.strictObject({ tenant: z.string(), n: z.int().optional() }),
  ...plain,
});
export const invoice = defineJob({
  type: "invoice",
  queue: "invoices",
  payload: z.strictObject({ tenant: z.string(), n: z.int().optional() }),
  ...plain,
});
const declared = defineSchedule({
  name: "declared",
  cron: "0 3 * * *",
  timeZone: "UTC",
  job: report,
  payload: () => ({ tenant: "all" }),
});

export const application = defineConfig({
  jobs: [report, invoice],
  handlers: async () => [],
  schedules: [declared],
});

export const SECOND = 1_000;
export const everySecond = { everyMs: SECOND, type: "report", payload: { tenant: "acme" } } as const;

/** The job of a tick. */
export interface TickJob {
  readonly at: number;
  readonly type: string;
  readonly payload: { readonly tenant: string; readonly n?: number };
}

/** A service with what tests of stored schedules need; everything ends with the test. */
export function stage(of: Application = application, variables: Variables = {}) {
  const service = createService(of, variables);
  const queues = of.queues.map((queue) => service.openBareQueue(queue));
  const prefix = service.env.HOLDFAST_PREFIX;
  const redis = service.connect();
  const stores = plainStores(redis, prefix);
  const hashOf = (name: string) => `${prefix}:{stored_schedules}:of:${name}`;

  /** The jobs of a schedule's ticks, wherever they are, the oldest tick first. */
  async function jobsOf(name: string): Promise<TickJob[]> {
    const start = `schedule:${name}:`;
    const jobs = (await Promise.all(queues.map((queue) => queue.getJobs()))).flat();
    return jobs
      .filter(({ data }) => data.key.startsWith(start))
      .map(({ name: type, data: { key, payload } }) => ({
        at: Date.parse(key.slice(start.length)),
        type,
        payload,
      }))
      .sort((one, other) => one.at - other.at);
  }

  return {
    ...service,
    jobsOf,
    stored: openStoredSchedules(stores, of, readSettings(service.env)),
    /** As if it had been put and changed earlier, and no scheduler had run since. */
    async bringPutForward(name: string, ms: number): Promise<void> {
      const { version: _, done, ...versions } = await redis.hgetall(hashOf(name));
      const earlier = Object.entries(versions).map(([version, text]) => {
        const [since, ...definition] = text.split(" ");
        return [version, [Number(since) - ms, ...definition].join(" ")];
      });
      await redis.hset(hashOf(name), { done: Number(done) - ms, ...Object.fromEntries(earlier) });
    },
    /** As if the version in force had a zone that is unknown here. */
    async makeUnreadable(name: string): Promise<void> {
      const version = await redis.hget(hashOf(name), "version");
      const text = await redis.hget(hashOf(name), version ?? "");
      const unknown = { cron: "* * * * *", timeZone: "Europe/Atlantis", type: "report", payload: null };
      await redis.hset(hashOf(name), version ?? "", `${text?.split(" ")[0]} ${JSON.stringify(unknown)}`);
    },
    /** @param count how many jobs of ticks there are at least */
    untilTicked: (name: string, count = 1) =>
      until(`${name} has ticked`, async () => {
        const jobs = await jobsOf(name);
        return jobs.length >= count && jobs;
      }),
    async startScheduler(withApplication = of): Promise<Running> {
      const scheduler = await startScheduler(withApplication, service.env);
      onTestFinished(() => scheduler.stop());
      return scheduler;
    },
  };
}

export type Stage = ReturnType<typeof stage>;

/** Waits until Redis's clock shows a later second than it does now. @returns its start */
export async function untilNextSecond(operator: StandaloneOperator): Promise<number> {
  const next = Math.floor((await operator.now()) / SECOND + 1) * SECOND;
  await until("the next second has begun", async () => (await operator.now()) >= next);
  return next;
}
