import { defineConfig, defineJob, type Producer } from "holdfast";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { patiently } from "../../../lab/faults/lib/inside/patiently.ts";
import { inLanes } from "../../../lab/lib/waiting.ts";
import { partitionNames } from "../../../src/core/bullmq/store/partitions.ts";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { onFailpoint } from "../../../src/core/failpoints.ts";
import { diagnosePartitions } from "../../../src/desk/doctor/doctor-partitions.ts";
import { openOverviewReader } from "../../../src/desk/overview/read-overview.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { readLayouts } from "../../../src/desk/queues/layouts.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { createService, type Service, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

interface Version {
  readonly partitions?: number;
  readonly queue?: string;
  readonly formerQueues?: readonly string[];
  readonly variables?: Variables;
}

/** An application that charges orders; every charge is noted under its effect key. */
function shopOf({ partitions, queue = "orders", formerQueues = [], variables = {} }: Version = {}) {
  const charged: string[] = [];
  const gate = latch();
  let [running, most] = [0, 0];
  const order = defineJob({
    type: "order",
    payload: z.strictObject({ cents: z.int() }),
    result: z.unknown(),
    retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 20_000,
    effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
    queue,
    formerQueues,
  });
  const handler = order.handler(async ({ payload, effect, signal }) => {
    running += 1;
    most = Math.max(most, running);
    try {
      if (payload.cents < 0) throw new Error("refused");
      if (payload.cents === 0) await Promise.race([gate.opened, aborted(signal)]);
      await effect("charge", async ({ key }) => void charged.push(key));
      return {};
    } finally {
      running -= 1;
    }
  });
  const application = defineConfig({
    jobs: [order],
    handlers: async () => [handler],
    ...(partitions !== undefined && { queues: { [queue]: { partitions } } }),
  });
  const service = createService(application, variables);
  const submit = (producer: Producer, key: string, cents = 1) =>
    producer.submit(order, { cents }, { idempotencyKey: key });
  return { service, application, charged, submit, gate, most: () => most };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

function keysOf(count: number, name = "k"): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index}`);
}

function partitionsIn(ids: Iterable<string>): Set<string> {
  return new Set([...ids].map((id) => id.slice(0, id.indexOf("_"))));
}

/** As `holdfast queues partition` does. */
async function divide(service: Service, partitions: number, queue = "orders") {
  const stores = openQueueStores(
    { client: service.connect(), codec: createCodec([]) },
    service.env.HOLDFAST_PREFIX,
  );
  return await divideQueue(stores, service.env.HOLDFAST_PREFIX, queue, partitions);
}

async function jobsIn(service: Service, ...names: string[]): Promise<number[]> {
  const counts = names.map((name) => service.openBareQueue(name).getJobCounts());
  return (await Promise.all(counts)).map((states) => Object.values(states).reduce((sum, many) => sum + many));
}

async function untilCompleted(producer: Producer, ids: Iterable<string>): Promise<void> {
  for (const id of ids) await untilState(producer, id, "completed");
}

afterEach(() => onFailpoint(async () => {}));

describe("a queue with partitions", () => {
  it("spreads its jobs, runs each once, and is one queue for its operators", async () => {
    const { service, application, charged, submit } = shopOf({ partitions: 4 });
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    const receipts = await Promise.all(keysOf(60).map((key) => submit(producer, key)));
    const again = await Promise.all(keysOf(60).map((key) => submit(producer, key)));
    const ids = receipts.map(({ id }) => id);

    expect(again.map(({ id, duplicate }) => [id, duplicate])).toEqual(ids.map((id) => [id, true]));
    expect(partitionsIn(ids)).toEqual(new Set(["orders", "orders.1", "orders.2", "orders.3"]));
    await expect(submit(producer, "k-1", 2)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    expect((await get(`${url}/jobs?state=waiting&limit=200`)).body.jobs).toHaveLength(60);
    expect((await get(`${url}/jobs?idempotencyKey=k-7`)).body).toMatchObject({ jobs: [{ id: ids[7] }] });
    expect((await get(`${url}/metrics`)).body.text).toMatch(
      /holdfast_jobs\{queue="orders",state="waiting"\} 60/,
    );

    await service.startWorker();
    await untilCompleted(producer, ids);
    expect(charged).toHaveLength(60);
    expect(new Set(charged).size).toBe(60);
    const overview = await overviewOf(service, application.queues);
    expect(overview.queues).toMatchObject([{ name: "orders", waiting: 0, completed: 60 }]);
    expect(overview.workers).toMatchObject([{ queue: "orders", concurrency: 20 }]);
  });

  it("is cancelled, retried and resolved by id, wherever a job is", async () => {
    const { service, submit } = shopOf({ partitions: 4 });
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    const refused = await Promise.all(keysOf(12).map((key) => submit(producer, key, -1)));
    await service.startWorker();
    for (const { id } of refused) await untilState(producer, id, "failed");

    expect((await get(`${url}/failures`)).body.groups).toMatchObject([{ type: "order", count: 12 }]);
    const one = refused.find(({ id }) => id.startsWith("orders.")) ?? { id: "" };
    expect(await post(`${url}/jobs/${one.id}/retry`, {})).toMatchObject({ status: 200 });
    await untilState(producer, one.id, "failed");
    const { body } = await post(`${url}/jobs/acts`, {
      act: "retry",
      filter: { type: "order" },
      reason: "a test",
    });
    await until("the act is done", async () => {
      const { body: act } = await get(`${url}/jobs/acts/${body.id}`);
      return act.state === "done" && act.done === 12;
    });
    const delayed = await Promise.all(
      keysOf(8, "later").map((idempotencyKey) =>
        producer.submit(
          { type: "order", payload: anySchema },
          { cents: 1 },
          { idempotencyKey, delayMs: 60_000 },
        ),
      ),
    );
    for (const { id } of delayed)
      expect(await post(`${url}/jobs/${id}/cancel`, {})).toMatchObject({ body: { outcome: "cancelled" } });
  });

  it("shares the slots of a worker: never more attempts than its concurrency, and every partition gets its turn", async () => {
    const { service, submit, gate, most } = shopOf({
      partitions: 8,
      variables: { HOLDFAST_CONCURRENCY: "3" },
    });
    const producer = await service.createProducer();
    const blocked = await Promise.all(keysOf(30, "slow").map((key) => submit(producer, key, 0)));
    await service.startWorker();
    await until("three attempts run", async () => most() === 3);
    const quick = await Promise.all(keysOf(200).map((key) => submit(producer, key)));
    gate.open();

    await untilCompleted(
      producer,
      [...blocked, ...quick].map(({ id }) => id),
    );
    expect(most()).toBe(3);
    expect(partitionsIn(quick.map(({ id }) => id)).size).toBe(8);
  });

  it("lets a partition have its turn although another one never runs dry", async () => {
    const { service, submit } = shopOf({ partitions: 2, variables: { HOLDFAST_CONCURRENCY: "1" } });
    const producer = await service.createProducer();
    let [first, second] = [0, 0];
    // Not all at once: a busy machine takes longer for that than Redis has for an answer.
    await inLanes(keysOf(1_500), 50, async (key) => {
      const { id } = await patiently(() => submit(producer, key));
      if (id.startsWith("orders_")) first += 1;
      else second += 1;
    });
    await service.startWorker();

    const queues = ["orders", "orders.1"].map((name) => service.openBareQueue(name));
    await until("some of both are completed", async () => {
      const [a = 0, b = 0] = await Promise.all(queues.map((queue) => queue.getCompletedCount()));
      if (a === first || b === second) throw new Error(`one ran dry first: ${a}, ${b}`);
      return a > 50 && b > 50;
    });
  });
});

describe("a queue that is divided while it is used", () => {
  it("keeps each key's job, and makes one for each new key, in every process at once", async () => {
    const { service, charged, submit } = shopOf();
    const [producer, other] = [await service.createProducer(), await service.createProducer()];
    await service.startWorker();
    const before = await Promise.all(keysOf(30).map((key) => submit(producer, key)));
    const ids = new Map(before.map(({ idempotencyKey, id }) => [idempotencyKey, new Set([id])]));
    const note = (receipts: readonly { idempotencyKey: string; id: string }[]) => {
      for (const { idempotencyKey, id } of receipts)
        ids.set(idempotencyKey, (ids.get(idempotencyKey) ?? new Set()).add(id));
    };

    let isOver = false;
    const load = (async () => {
      for (let round = 0; !isOver; round += 1)
        for (const key of keysOf(10, `during-${round}`))
          note(await Promise.all([submit(producer, key), submit(other, key)]));
    })();
    expect(await divide(service, 8)).toMatchObject({
      before: { partitions: 1 },
      after: { partitions: 8, former: [1] },
    });
    await until(
      "both producers use the partitions",
      async () => partitionsIn([...ids.values()].flatMap((some) => [...some])).size === 8,
    );
    expect(await divide(service, 3)).toMatchObject({ after: { partitions: 3, former: [1, 8] } });
    await until("new keys have gone to the fewer", async () => (await layoutOf(service)).partitions === 3);
    isOver = true;
    await load;
    note(await Promise.all([...ids.keys()].map((key) => submit(other, key))));

    const all = [...ids.values()].flatMap((some) => [...some]);
    expect(all).toHaveLength(ids.size);
    await untilCompleted(producer, all);
    expect(new Set(charged).size).toBe(ids.size);
    expect(charged).toHaveLength(ids.size);
  });

  it("is not divided by a declaration alone once it has jobs, and the doctor says what to do", async () => {
    const { service, submit } = shopOf();
    await submit(await service.createProducer(), "k");
    const next = shopOf({ partitions: 4, variables: service.env });
    const producer = await next.service.createProducer();

    const ids = (await Promise.all(keysOf(20).map((key) => next.submit(producer, key)))).map(({ id }) => id);
    expect(partitionsIn(ids)).toEqual(new Set(["orders"]));
    expect(await layoutOf(service)).toEqual({ partitions: 1, former: [] });
    const stores = openQueueStores(
      { client: service.connect(), codec: createCodec([]) },
      service.env.HOLDFAST_PREFIX,
    );
    expect(await diagnosePartitions(next.application, stores)).toMatchObject([
      { verdict: "warn", remedy: expect.stringContaining("holdfast queues partition orders 4") },
    ]);
  });

  it("keeps its partitions for a process that declares another number, or none", async () => {
    const { service, submit } = shopOf({ partitions: 4 });
    await submit(await service.createProducer(), "k-0");
    const next = shopOf({ variables: service.env });
    const producer = await next.service.createProducer();

    const receipts = await Promise.all(keysOf(40).map((key) => next.submit(producer, key)));
    expect(receipts[0]?.duplicate).toBe(true);
    expect(partitionsIn(receipts.map(({ id }) => id)).size).toBe(4);
  });

  it("loses nothing if the command dies after its first step", async () => {
    const { service, submit, charged } = shopOf();
    const producer = await service.createProducer();
    const first = await submit(producer, "k-0");
    // Only the first partition knows it yet.
    await service.connect().hset(`${service.env.HOLDFAST_PREFIX}:{orders}:epoch`, "layout", "4 1");

    const receipts = await Promise.all(keysOf(40).map((key) => submit(producer, key)));
    expect(receipts[0]).toMatchObject({ id: first.id, duplicate: true });
    expect(partitionsIn(receipts.map(({ id }) => id)).size).toBe(4);
    await service.startWorker();
    await untilCompleted(
      producer,
      receipts.map(({ id }) => id),
    );
    expect(charged).toHaveLength(40);
    const client = service.connect();
    await until("every partition knows it", async () => {
      const read = partitionNames("orders", { partitions: 4, former: [] }).map((name) =>
        client.hget(`${service.env.HOLDFAST_PREFIX}:{${name}}:epoch`, "layout"),
      );
      return (await Promise.all(read)).every((layout) => layout === "4 1");
    });
  });

  it("adds the job of a claim whose producer was killed before it was divided again", async () => {
    const { service, submit, charged } = shopOf();
    await submit(await service.createProducer(), "first");
    await divide(service, 8);
    const doomed = await service.createProducer();
    onFailpoint(async (point) => {
      if (point === "submit:claimed") throw new Error("killed");
    });
    const keys = keysOf(20);
    await Promise.all(keys.map((key) => submit(doomed, key).catch(() => {})));
    onFailpoint(async () => {});
    await divide(service, 3);

    const producer = await service.createProducer();
    const receipts = await Promise.all(keys.map((key) => submit(producer, key)));
    const again = await Promise.all(keys.map((key) => submit(doomed, key)));
    expect(again.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
    await service.startWorker();
    await untilCompleted(
      producer,
      receipts.map(({ id }) => id),
    );
    expect(charged).toHaveLength(21);
  });

  it("forgets its earlier partitions when no key is remembered there any more, not before", async () => {
    const { service, submit } = shopOf({ variables: { HOLDFAST_RETENTION_MS: "5000" } });
    const producer = await service.createProducer();
    const { id } = await submit(producer, "k-0");
    await divide(service, 4);
    await Promise.all(keysOf(20).map((key) => submit(producer, key)));

    expect((await divide(service, 4)).still).toMatch(/keys that were used before are remembered in orders/);
    expect((await submit(producer, "k-0")).id).toBe(id);
    await service.startWorker();
    await until("nothing needs them", async () => (await divide(service, 4)).still === undefined);
    expect(await layoutOf(service)).toEqual({ partitions: 4, former: [] });
  });

  it("keeps a partition in mind that still has jobs", async () => {
    const { service, submit, charged } = shopOf({
      partitions: 4,
      variables: { HOLDFAST_RETENTION_MS: "1000" },
    });
    const producer = await service.createProducer();
    await Promise.all(keysOf(40).map((key) => submit(producer, key)));
    await divide(service, 2);

    expect((await divide(service, 2)).still).toMatch(/jobs or doubts are left in orders\.[23]/);
    await service.startWorker();
    // Nobody can ask each for its status: a busy machine takes longer than they are kept.
    await until("all have run", () => charged.length === 40);
    await until("nothing needs them", async () => (await divide(service, 2)).still === undefined);
  });

  it("is refused while four earlier numbers are remembered", async () => {
    const { service, submit } = shopOf();
    await submit(await service.createProducer(), "k");
    for (const partitions of [2, 3, 4, 5]) await divide(service, partitions);

    await expect(divide(service, 6)).rejects.toMatchObject({ code: "PARTITIONS_REFUSED" });
  });
});

describe("a type that moves between divided queues", () => {
  it("keeps its keys", async () => {
    const old = shopOf({ partitions: 3 });
    const producer = await old.service.createProducer();
    const receipts = await Promise.all(keysOf(30).map((key) => old.submit(producer, key)));
    const next = shopOf({
      partitions: 5,
      queue: "moved",
      formerQueues: ["orders"],
      variables: old.service.env,
    });
    const mover = await next.service.createProducer();

    const again = await Promise.all(keysOf(30).map((key) => next.submit(mover, key)));
    const fresh = await Promise.all(keysOf(30, "new").map((key) => next.submit(mover, key)));
    const late = await Promise.all(keysOf(30, "new").map((key) => old.submit(producer, key)));

    expect(again.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
    expect(late.map(({ id }) => id)).toEqual(fresh.map(({ id }) => id));
    await next.service.startWorker();
    await untilCompleted(
      mover,
      [...receipts, ...fresh].map(({ id }) => id),
    );
    expect(next.charged).toHaveLength(60);
    expect((await jobsIn(next.service, "moved", "orders"))[0]).toBeGreaterThan(0);
  });
});

const anySchema = z.unknown();

async function layoutOf({ connect, env }: Service) {
  return (await readLayouts(connect(), env.HOLDFAST_PREFIX, ["orders"])).of("orders");
}

async function overviewOf({ connect, env }: Service, queues: readonly string[]) {
  const client = connect();
  const layouts = await readLayouts(client, env.HOLDFAST_PREFIX, queues);
  const stores = openQueueStores({ client, codec: createCodec([]) }, env.HOLDFAST_PREFIX, layouts);
  const reader = openOverviewReader({
    stores,
    application: {
      jobs: new Map(),
      queues,
      queueSettings: new Map(),
      schedules: [],
      handlers: async () => [],
    },
    settings: readSettings(env),
    clock: { offsetMs: () => 0 },
  });
  return await reader.read();
}
