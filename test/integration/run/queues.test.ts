import { defineConfig, defineJob, type JobContract } from "holdfast";
import { startWorker } from "holdfast/worker";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import type { QueueDefinition } from "../../../src/core/define/queue-settings.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { call, get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** An application that notes when its jobs start, and how many run at a time. */
function shop(settings: QueueDefinition = {}, variables: Variables = {}) {
  const startedAt: number[] = [];
  const count = { running: 0, most: 0 };
  const jobOf = (type: string, queue: string) =>
    defineJob({
      type,
      payload: z.strictObject({ ms: z.int() }),
      result: z.unknown(),
      retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
      timeoutMs: 20_000,
      queue,
    });
  const mail = jobOf("mail", "mails");
  const report = jobOf("report", "reports");
  const handle = async ({ payload }: { readonly payload: { readonly ms: number } }) => {
    startedAt.push(performance.now());
    count.running += 1;
    count.most = Math.max(count.most, count.running);
    await new Promise((resolve) => setTimeout(resolve, payload.ms)); // the job's work
    count.running -= 1;
    return {};
  };
  const application = defineConfig({
    jobs: [mail, report],
    handlers: async () => [mail.handler(handle), report.handler(handle)],
    queues: { mails: settings },
  });
  return { service: createService(application, variables), application, mail, report, startedAt, count };
}

const put = (url: string, body: unknown) => call(url, "PUT", body);

async function submitMany(
  producer: Awaited<ReturnType<ReturnType<typeof shop>["service"]["createProducer"]>>,
  job: JobContract<string, { ms: number }>,
  many: number,
  ms = 0,
): Promise<string[]> {
  const receipts = await Promise.all(
    Array.from({ length: many }, (_, index) =>
      producer.submit(job, { ms }, { idempotencyKey: `${job.type}-${ms}-${index}` }),
    ),
  );
  return receipts.map(({ id }) => id);
}

describe("a paused queue", () => {
  it("starts nothing once the pause is answered, accepts jobs, says who paused it and why, and runs all when it is resumed", async () => {
    const { service, mail, startedAt } = shop();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await service.startWorker();
    const before = await submitMany(producer, mail, 300, 5);
    await until("some have started", () => startedAt.length > 20);

    const paused = await post(`${url}/queues/mails/pause`, { reason: "the provider is down" });
    const pausedAt = performance.now();
    const later = await submitMany(producer, mail, 50);
    await until("nothing runs", async () => (await queuesOf(url)).every(isIdle));

    expect(paused).toMatchObject({
      status: 200,
      body: {
        name: "mails",
        paused: { reason: "the provider is down", by: "API", since: expect.any(String) },
      },
    });
    // A claim may have been on its way.
    expect(Math.max(...startedAt) - pausedAt).toBeLessThan(5_000);
    const started = startedAt.length;
    expect(started).toBeLessThan(300);
    expect((await get(`${url}/overview`)).body.queues).toMatchObject([
      { name: "mails", isPaused: true, paused: { reason: "the provider is down" } },
      { name: "reports", isPaused: false, paused: null },
    ]);
    expect((await get(`${url}/metrics`)).body.text).toMatch(/holdfast_queue_paused\{queue="mails"\} 1/);

    expect(await post(`${url}/queues/mails/resume`, {})).toMatchObject({
      status: 200,
      body: { paused: null },
    });
    for (const id of [...before, ...later]) await untilState(producer, id, "completed");
    expect(startedAt).toHaveLength(350);
  });

  it("stays paused for workers that start later, and leaves other queues alone", async () => {
    const { service, mail, report } = shop();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await post(`${url}/queues/mails/pause`, { reason: "a test" });
    const [waits = ""] = await submitMany(producer, mail, 1);
    const [runs = ""] = await submitMany(producer, report, 1);
    await service.startWorker();

    await untilState(producer, runs, "completed");
    expect(await producer.status(waits)).toMatchObject({ state: "waiting" });
  });

  it("is paused in each partition, also in those that it gets while it is paused", async () => {
    const { service, mail } = shop();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await submitMany(producer, mail, 1);
    await post(`${url}/queues/mails/pause`, { reason: "a test" });
    await divide(service, 4);
    const ids = await submitMany(producer, mail, 40);
    await service.startWorker();

    await until("the worker claims from every partition", async () => {
      const [mails] = await queuesOf(url);
      return mails?.partitions === 4 && mails.workers === 1;
    });
    const states = await Promise.all(ids.map((id) => producer.status(id)));
    expect(new Set(states.map((status) => status?.state))).toEqual(new Set(["waiting"]));
    await post(`${url}/queues/mails/resume`, {});
    for (const id of ids) await untilState(producer, id, "completed");
  });

  it("needs a reason, and must exist", async () => {
    const { service } = shop();
    const { url } = await service.startApi();

    expect(await post(`${url}/queues/mails/pause`, {})).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST" },
    });
    expect(await post(`${url}/queues/mails/pause`, { reason: " " })).toMatchObject({ status: 400 });
    expect(await post(`${url}/queues/letters/pause`, { reason: "r" })).toMatchObject({
      status: 404,
      body: { code: "QUEUE_NOT_FOUND" },
    });
  });
});

describe("the limits of a queue", () => {
  it("hold over all workers: no more run at a time than declared", async () => {
    const { service, mail, count } = shop({ globalConcurrency: 3 });
    const producer = await service.createProducer();
    const { url } = await service.startApi();
    await service.startWorker();
    await service.startWorker();
    await until("the declared limit is in force", async () => (await limitsOf(url)).concurrency === 3);

    const ids = await submitMany(producer, mail, 60, 20);
    for (const id of ids) await untilState(producer, id, "completed");
    expect(count.most).toBe(3);
  });

  it("hold in time: no more start than declared", async () => {
    const { service, mail, startedAt } = shop({ rate: "10/500ms" });
    const producer = await service.createProducer();
    const { url } = await service.startApi();
    await service.startWorker();
    await until("the declared limit is in force", async () => (await limitsOf(url)).rate === "10/500ms");

    const ids = await submitMany(producer, mail, 40);
    for (const id of ids) await untilState(producer, id, "completed");
    expect((startedAt.at(-1) ?? 0) - (startedAt[0] ?? 0)).toBeGreaterThan(1_400);
  });

  it("are overridden by hand, say so, and go back to what is declared", async () => {
    const { service } = shop({ globalConcurrency: 3 });
    const { url } = await service.startApi();
    await service.startWorker();
    await until("the declared limit is in force", async () => (await limitsOf(url)).concurrency === 3);

    const limited = await put(`${url}/queues/mails/limits`, { concurrency: 1, rate: "100/1m" });
    expect(limited).toMatchObject({
      status: 200,
      body: {
        limits: { concurrency: 1, rate: "100/1m" },
        override: { concurrency: 1, rate: "100/1m", by: "API", since: expect.any(String) },
        declared: { concurrency: 3, rate: null },
      },
    });
    await service.startWorker();
    expect(await limitsOf(url)).toEqual({ concurrency: 1, rate: "100/1m" });
    expect(await put(`${url}/queues/mails/limits`, {})).toMatchObject({
      body: { limits: { concurrency: 3, rate: null }, override: null },
    });
  });

  it("are taken off when they are declared no longer", async () => {
    const { service } = shop({ globalConcurrency: 3, rate: "5/1s" });
    const { url } = await service.startApi();
    await service.startWorker();
    await until("the declared limits are in force", async () => (await limitsOf(url)).rate === "5/1s");
    const next = shop({}, service.env);
    await next.service.startWorker();

    await until("there is no limit", async () => {
      const { concurrency, rate } = await limitsOf(url);
      return concurrency === null && rate === null;
    });
  });

  it("are shared by the partitions, and together are no more", async () => {
    const { service, mail, count } = shop({ partitions: 4, globalConcurrency: 9 });
    const producer = await service.createProducer();
    const { url } = await service.startApi();
    await service.startWorker();
    await until("the declared limit is in force", async () => (await limitsOf(url)).concurrency === 8);

    const ids = await submitMany(producer, mail, 80, 20);
    for (const id of ids) await untilState(producer, id, "completed");
    expect(count.most).toBeLessThanOrEqual(8);
    expect(await put(`${url}/queues/mails/limits`, { concurrency: 3 })).toMatchObject({ status: 400 });
    expect(await put(`${url}/queues/mails/limits`, { rate: "2/1s" })).toMatchObject({
      body: { limits: { rate: "4/2s" } },
    });
  });

  it.each([{ concurrency: 0 }, { rate: "10" }, { rate: "0/1s" }, { rate: "1/2d" }, { speed: 1 }])(
    "refuse %j",
    async (body) => {
      const { service } = shop();
      const { url } = await service.startApi();

      expect(await put(`${url}/queues/mails/limits`, body)).toMatchObject({
        status: 400,
        body: { code: "INVALID_REQUEST" },
      });
    },
  );
});

describe("a worker", () => {
  it.each([{ queues: ["reports"] }, { except: ["mails"] }])(
    "claims only from the queues that it is given: %j",
    async (chosen) => {
      const { service, application, mail, report } = shop();
      const producer = await service.createProducer();
      const worker = await startWorker(application, service.env, chosen);
      onTestFinished(() => worker.stop());
      const [waits = ""] = await submitMany(producer, mail, 1);
      const [runs = ""] = await submitMany(producer, report, 1);

      await untilState(producer, runs, "completed");
      expect(await producer.status(waits)).toMatchObject({ state: "waiting" });
      await expect(startWorker(application, service.env, { queues: ["letters"] })).rejects.toMatchObject({
        code: "USAGE",
      });
      await expect(startWorker(application, service.env, { except: ["mails", "reports"] })).rejects.toThrow(
        "no queue is left",
      );
    },
  );

  it("runs as many attempts at a time as its queue declares, unless the environment names the queue", async () => {
    const declared = shop({ concurrency: 2 });
    const producer = await declared.service.createProducer();
    await declared.service.startWorker();
    const ids = await submitMany(producer, declared.mail, 20, 20);
    for (const id of ids) await untilState(producer, id, "completed");
    expect(declared.count.most).toBe(2);

    const named = shop({ concurrency: 2 }, { HOLDFAST_CONCURRENCY: "20,mails=4" });
    const other = await named.service.createProducer();
    await named.service.startWorker();
    const more = await submitMany(other, named.mail, 40, 20);
    for (const id of more) await untilState(other, id, "completed");
    expect(named.count.most).toBe(4);
  });
});

describe("the settings of queues in an application", () => {
  it.each([
    [{ mails: { rate: "fast" } }, 'queue "mails": rate: expected a rate such as "10/1s"'],
    [
      { mails: { concurrency: 0 } },
      'queue "mails": concurrency: expected a whole number from 1 to 10000, got 0',
    ],
    [
      { mails: { partitions: 65 } },
      'queue "mails": partitions: expected a whole number from 1 to 64, got 65',
    ],
    [{ letters: {} }, 'queue "letters": no job is in it'],
    [{ mails: { speed: 1 } }, 'queue "mails": unknown setting "speed"'],
  ] as const)("are checked: %j", (queues: object, message) => {
    const { mail } = shop();

    expect(() => defineConfig({ jobs: [mail], queues: { ...queues } })).toThrow(message);
  });
});

describe("holdfast queues", withProcesses, () => {
  it("pauses, shows, limits and resumes", async () => {
    const { env } = createService(defineConfig({ jobs: [] }));

    expect((await run(["queues", "list"], env)).stdout).toMatch(/^name +waiting[^\n]*\ndefault +0/);
    expect(await run(["queues", "pause", "default"], env)).toMatchObject({ code: 2 });
    expect((await run(["queues", "pause", "default", "--reason", "bad deploy"], env)).stdout).toMatch(
      /paused +since \S+ by \S+: bad deploy/,
    );
    expect((await run(["doctor"], env)).stdout).toMatch(/queue default +paused by \S+ since \S+: bad deploy/);
    expect((await run(["queues", "limit", "default", "--rate", "10/1s"], env)).stdout).toMatch(
      /by hand: 10\/1s; by .*\n.*holdfast queues limit default --declared/,
    );
    expect(JSON.parse((await run(["queues", "resume", "default", "--json"], env)).stdout)).toMatchObject({
      paused: null,
      override: { rate: "10/1s" },
    });
    expect((await run(["queues", "limit", "default", "--declared"], env)).stdout).toMatch(/limits +none/);
    expect(await run(["queues", "limit", "default"], env)).toMatchObject({ code: 2 });
    expect(await run(["queues", "show", "letters"], env)).toMatchObject({ code: 2 });
  });
});

function isIdle({ active }: { readonly active: number }): boolean {
  return active === 0;
}

interface Queue {
  readonly active: number;
  readonly partitions: number;
  readonly workers: number;
  readonly limits: { readonly concurrency: number | null; readonly rate: string | null };
}

async function queuesOf(url: string): Promise<readonly Queue[]> {
  return (await get(`${url}/queues`)).body.queues as readonly Queue[];
}

async function limitsOf(url: string): Promise<Queue["limits"]> {
  return (await queuesOf(url))[0]?.limits ?? { concurrency: null, rate: null };
}

async function divide({ connect, env }: ReturnType<typeof createService>, partitions: number) {
  const stores = openQueueStores({ client: connect(), codec: createCodec([]) }, env.HOLDFAST_PREFIX);
  return await divideQueue(stores, env.HOLDFAST_PREFIX, "mails", partitions);
}
