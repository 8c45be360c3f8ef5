import { defineConfig } from "holdfast";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { anyJob } from "../../support/application.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const QUEUES = 8;
/** Workers also claim from Holdfast's own queue. */
const CLAIMED = QUEUES + 1;
const ROUNDS = 6;

async function startStore() {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  return { url: server.url, client };
}

/** How often each of these commands was run since the last reset, also inside scripts. */
async function callsOf(client: Redis, ...names: readonly string[]): Promise<number[]> {
  const stats = await client.info("commandstats");
  return names.map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0));
}

describe("a worker with nothing to do", () => {
  it("has one connection for each queue, and two for all", async () => {
    const { url, client } = await startStore();
    const jobs = Array.from({ length: QUEUES }, (_, index) =>
      anyJob({ type: `type-${index}`, queue: `queue-${index}` }),
    );
    const application = defineConfig({
      jobs,
      handlers: async () => jobs.map((job) => job.handler(async () => null)),
    });
    await createService(application, { REDIS_URL: url }).startWorker();

    const connections = async () => String(await client.client("LIST")).match(/^id=/gm)?.length ?? 0;
    await until(
      "every queue waits for jobs",
      async () => String(await client.client("LIST")).match(/cmd=bzpopmin/g)?.length === CLAIMED,
    );

    // One is this test's.
    expect(await connections()).toBe(CLAIMED + 2 + 1);
  });

  it("asks every two seconds what there is to sweep, and whether Redis has lost data", async () => {
    const { url, client } = await startStore();
    const job = anyJob();
    await createService(applicationOf(job.handler(async () => null)), { REDIS_URL: url }).startWorker();
    await client.config("RESETSTAT");

    const [scripts = 0, waits = 0] = await until("it has waited for jobs again and again", async () => {
      const [evalsha, bzpopmin = 0] = await callsOf(client, "evalsha", "bzpopmin");
      return bzpopmin >= ROUNDS && [evalsha, bzpopmin];
    });

    // Those inside of scripts included, without this test's own.
    const calls = (await client.info("commandstats")).matchAll(/cmdstat_(?!info)[^:]+:calls=(\d+)/g);
    const commands = [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
    // A wait lasts 5 s, and there are two at a time: 55 commands meanwhile are eleven a second.
    expect(2 * (commands / waits)).toBeLessThan(5 * 11);
    // In these: what there is to sweep, and whether Redis has lost data, each for both queues together. And three heartbeats.
    expect(2 * (scripts / waits)).toBeLessThan(2.5 * 2 + 3 + 4);
  });
});

describe("a queue with more partitions than a worker has slots for", () => {
  it("claims the next job of a partition as one ends, as a plain queue does", async () => {
    const { url, client } = await startStore();
    let ran = 0;
    const job = anyJob({ queue: "shared" });
    const application = defineConfig({
      jobs: [job],
      handlers: async () => [
        job.handler(async () => {
          ran += 1;
          return null;
        }),
      ],
      queues: { shared: { partitions: 2 } },
    });
    const service = createService(application, {
      REDIS_URL: url,
      HOLDFAST_DURABILITY: "memory",
      HOLDFAST_CONCURRENCY: "8",
    });
    const producer = await service.createProducer();
    const jobs = Array.from({ length: 400 }, (_, index) => ({
      payload: index,
      idempotencyKey: `key-${index}`,
    }));
    await producer.submitMany(job, jobs);
    await client.config("RESETSTAT");

    await service.startWorker();
    await until("all have run", () => ran === jobs.length);

    // BullMQ reads the length of `wait` where a job's end claims no other.
    const [lengthsRead] = await callsOf(client, "llen");
    expect(lengthsRead).toBeLessThan(jobs.length / 4);
  });
});
