import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { defineConfig, defineJob, type Producer } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { onFailpoint } from "../../../src/core/failpoints.ts";
import { queueOfId } from "../../../src/core/job/job-id.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import application, { order } from "../../support/fixtures/orders.config.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, type Service, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";

const COUNT = 16;
const keys = Array.from({ length: COUNT }, (_, index) => `k-${index}`);

const configOf = (name: string) =>
  fileURLToPath(new URL(`../../support/fixtures/${name}.config.ts`, import.meta.url));

/** Counts by effect key what it is asked to charge. */
async function startProvider() {
  const charged: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    charged.push(new URL(url, "http://localhost").searchParams.get("key") ?? "");
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return { url: `http://127.0.0.1:${address.port}`, charged };
}

/** Forgets the keys of the queue, as the end of their retention does. Effects are remembered for longer: from the end of their jobs. */
async function forgetKeys({ connect, env }: Service): Promise<void> {
  const redis = connect();
  await redis.del(await redis.keys(`${env.HOLDFAST_PREFIX}:{orders*}:de:*`));
}

async function divide({ connect, env: { HOLDFAST_PREFIX: prefix } }: Service, partitions: number) {
  const stores = openQueueStores({ client: connect(), codec: createCodec([]) }, prefix);
  return await divideQueue(stores, prefix, "orders", partitions);
}

// They wait for jobs that come back later: they wait together. No two have jobs with the same id.
const meetings: ((jobId: string) => Promise<void>)[] = [];
beforeAll(() =>
  onFailpoint(async (point, jobId) => {
    if (point === "reserve:before" && jobId !== undefined)
      await Promise.all(meetings.map((meet) => meet(jobId)));
  }),
);
afterAll(() => onFailpoint(async () => {}));

describe.concurrent("jobs that wait longer than their keys are remembered", withProcesses, () => {
  it("keep their partitions in mind through a rolling deploy, and no effect is repeated", async () => {
    const provider = await startProvider();
    const old = createService(application, {
      HOLDFAST_CONFIG: configOf("orders"),
    });
    const next = { ...old.env, HOLDFAST_CONFIG: configOf("divided-orders") };
    const producer = await old.createProducer();
    const operator = await old.createOperator();
    await operator.queues.pause("orders", { reason: "a test", by: "tests" });
    const submitAll = () =>
      Promise.all(keys.map((idempotencyKey) => producer.submit(order, provider.url, { idempotencyKey })));
    const first = await submitAll();
    const oldWorker = await launchRole("worker", old.env);

    expect((await run(["queues", "partition", "orders", "2"], next)).code).toBe(0);
    await launchRole("worker", next);
    await forgetKeys(old);
    const { stdout } = await run(["queues", "partition", "orders", "2"], next);
    expect(stdout).toMatch(
      /keeps its earlier partitions in mind: jobs whose keys belong elsewhere are left in orders/,
    );
    const second = await submitAll();
    expect(new Set(second.map(({ id }) => queueOfId(id)))).toEqual(new Set(["orders", "orders.1"]));

    await operator.queues.resume("orders", { reason: "a test", by: "tests" });
    await launchRole("worker", next);
    oldWorker.kill("SIGTERM");
    for (const { id } of [...first, ...second]) await untilState(producer, id, "completed");
    expect(new Set(provider.charged).size).toBe(COUNT);
    expect(provider.charged).toHaveLength(COUNT);
  });
});

/** Two jobs with one key, in two queues that share no script, whose effects begin at the same moment. */
async function startTwo(move: (service: Service) => Promise<unknown>, formerQueues: readonly string[] = []) {
  const charged: string[] = [];
  const contract = (queue: string, former: readonly string[]) =>
    defineJob({
      type: "order",
      queue,
      formerQueues: former,
      payload: z.null(),
      result: z.unknown(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 60_000,
      effects: { charge: { timeoutMs: 10_000, inDoubt: "hold" } },
    });
  const serviceOf = (job: ReturnType<typeof contract>, prefix?: string) => {
    const handler = job.handler(({ effect }) => effect("charge", async ({ key }) => charged.push(key)));
    const app = defineConfig({ jobs: [job], handlers: async () => [handler] });
    return createService(app, {
      HOLDFAST_CONCURRENCY: "100",
      ...(prefix !== undefined && { HOLDFAST_PREFIX: prefix }),
    });
  };
  const before = contract("orders", []);
  const service = serviceOf(before);
  const submit = async (producer: Producer, job: typeof before) =>
    (await Promise.all(keys.map((key) => producer.submit(job, null, { idempotencyKey: key })))).map(
      ({ id }) => id,
    );
  const first = await submit(await service.createProducer(), before);
  await move(service);
  await forgetKeys(service);
  const after = contract(formerQueues.length === 0 ? "orders" : "orders-2", formerQueues);
  const next = serviceOf(after, service.env.HOLDFAST_PREFIX);
  const producer = await next.createProducer();
  const second = await submit(producer, after);
  return { next, producer, first, second, charged };
}

/** Lets the effects of each pair of jobs in two queues be reserved at the same moment. */
function reserveTogether(first: readonly string[], second: readonly string[]): void {
  const waiting = new Map<string, () => void>();
  const pairs = new Map(
    first.flatMap((id, at) => {
      const other = second[at] ?? "";
      return queueOfId(id) === queueOfId(other)
        ? []
        : [
            [id, other],
            [other, id],
          ];
    }) as [string, string][],
  );
  const met = new Set<string>();
  meetings.push(async (jobId) => {
    const other = pairs.get(jobId);
    if (other === undefined || met.has(jobId)) return;
    met.add(jobId);
    const release = waiting.get(other);
    if (release !== undefined) return release();
    await new Promise<void>((resolve) => waiting.set(jobId, resolve));
  });
}

describe.concurrent("two jobs with one key in two queues", () => {
  it.each([
    ["partitions", (service: Service) => divide(service, 2), []],
    ["queues of a type that has moved", async () => {}, ["orders"]],
  ] as const)("run an effect once that both begin at the same moment: %s", async (_, move, formerQueues) => {
    const { next, producer, first, second, charged } = await startTwo(move, formerQueues);
    reserveTogether(first, second);
    await next.startWorker();

    for (const id of [...first, ...second]) await untilState(producer, id, "completed");
    expect(new Set(charged).size).toBe(COUNT);
    expect(charged).toHaveLength(COUNT);
  });
});
