import type { JobStatus } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { hasEnded } from "../../../src/core/job/job-status.ts";
import type { Interest } from "../../../src/edges/http/subscribers.ts";
import { openSubscribers, type Subscribers } from "../../../src/edges/http/subscribers.ts";
import { openConnection, whenReady } from "../../../src/platform/redis/connection.ts";
import { anyJob } from "../../support/application.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const AN_HOUR = 3_600_000;
const job = anyJob();

/** Subscribers with their own connection, as in an API, and a producer of jobs that complete at once. */
async function openSubscribed(lookAgainMs: number, variables: Variables = {}) {
  const service = createService(applicationOf(job.handler(async ({ payload }) => payload)), variables);
  const prefix = service.env.HOLDFAST_PREFIX;
  const client = openConnection(service.env.REDIS_URL, "fail-fast", () => {});
  await whenReady(client, 30_000);
  onTestFinished(() => client.disconnect());
  const open = () => {
    const subscribers = openSubscribers(plainStores(client, prefix), { max: 10_000, lookAgainMs });
    onTestFinished(subscribers.stop);
    return subscribers;
  };
  const producer = await service.createProducer();
  let count = 0;
  const submit = async () => {
    count += 1;
    return (await producer.submit(job, count, { idempotencyKey: `k${count}` })).id;
  };
  const key = (name: string) => queueKey(prefix, "default", name);
  const store = service.connect();
  /** A change as BullMQ makes it: with its event, in one step. */
  const change = (id: string, progress: number) =>
    store
      .multi()
      .hset(key(id), "progress", progress)
      .xadd(key("events"), "*", "event", "progress", "jobId", id, "data", progress);
  return { service, store, open, submit, key, change };
}

/** Subscribes to a job and collects its statuses. */
async function follow(subscribers: Subscribers, id: string, interest: Interest = "everything") {
  const statuses: (JobStatus | undefined)[] = [];
  const following = await subscribers.subscribe(id, interest, (status) => statuses.push(status));
  statuses.unshift(following.status);
  return { statuses, following };
}

describe("a subscriber of a job", () => {
  it("never misses its end, whenever it subscribes", async () => {
    const { service, open, submit } = await openSubscribed(AN_HOUR);
    await service.startWorker();

    // Each round opens a new event reader, only while its jobs run.
    for (let round = 0; round < 15; round += 1) {
      const subscribers = open();
      const jobs = Array.from({ length: 20 }, async () => follow(subscribers, await submit()));
      for (const { statuses } of await Promise.all(jobs)) {
        await until("the end arrives", () =>
          statuses.some((status) => status !== undefined && hasEnded(status)),
        );
        expect(new Set(statuses.map((status) => JSON.stringify(status))).size).toBe(statuses.length);
      }
      await subscribers.stop();
    }
  });

  it("learns of a change even if its event was trimmed", async () => {
    const { open, submit, key, change } = await openSubscribed(2_000);
    const id = await submit();
    const { statuses } = await follow(open(), id);
    await change(id, 10).exec();
    await until("events arrive", () => statuses.at(-1)?.progress === 10);

    await change(id, 40).xtrim(key("events"), "MAXLEN", 0).exec();

    await until("the change arrives", () => statuses.at(-1)?.progress === 40);
  });

  it("learns at once of a change whose event was trimmed because the reader was behind", async () => {
    const { open, submit, key, change } = await openSubscribed(AN_HOUR);
    const id = await submit();
    const { statuses } = await follow(open(), id);
    await change(id, 10).exec();
    await until("events arrive", () => statuses.at(-1)?.progress === 10);

    const burst = change(id, 40);
    for (let others = 0; others < 3_000; others += 1) {
      burst.xadd(key("events"), "*", "event", "waiting", "jobId", "another");
    }
    await burst.xtrim(key("events"), "MAXLEN", 2_500).exec();

    await until("the change arrives", () => statuses.at(-1)?.progress === 40);
  });

  it("learns at once of changes while the reader's connection was lost", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const { store, open, submit, key } = await openSubscribed(AN_HOUR, { REDIS_URL: server.url });
    const id = await submit();
    const { statuses } = await follow(open(), id);
    const readerId = await until("the reader reads", async () => {
      const clients = String(await store.client("LIST")).split("\n");
      return /^id=(\d+)/.exec(clients.find((line) => line.includes("cmd=xread")) ?? "")?.[1];
    });

    await store.client("KILL", "ID", readerId);
    await store.hset(key(id), "progress", "40");

    await until("the change arrives", () => statuses.at(-1)?.progress === 40);
  });

  it("costs no read for intermediate changes if it only waits for the end", async () => {
    const { store, open, submit, key, change } = await openSubscribed(AN_HOUR);
    const [id, otherId, subscribers] = [await submit(), await submit(), open()];
    const { statuses } = await follow(subscribers, id, "end");
    const other = await follow(subscribers, otherId);
    await change(otherId, 10).exec();
    await until("events arrive", () => other.statuses.at(-1)?.progress === 10);

    await change(id, 40).exec();
    for (const event of ["added", "waiting", "delayed", "active"])
      await store.xadd(key("events"), "*", "event", event, "jobId", id);
    await change(otherId, 50).exec();

    await until("the other's progress arrives", () => other.statuses.at(-1)?.progress === 50);
    expect(statuses).toHaveLength(1);
    await store.xadd(key("events"), "*", "event", "completed", "jobId", id);
    await until("the status was read", () => statuses.at(-1)?.progress === 40);
  });

  it("gets nothing more once it has left, and is no longer counted", async () => {
    const { open, submit, change } = await openSubscribed(AN_HOUR);
    const [id, subscribers] = [await submit(), open()];
    const [left, stayed] = [await follow(subscribers, id), await follow(subscribers, id)];
    expect(subscribers.count).toBe(2);

    left.following.leave();
    left.following.leave();
    await change(id, 40).exec();

    await until("the change arrives", () => stayed.statuses.at(-1)?.progress === 40);
    expect(left.statuses).toHaveLength(1);
    expect(subscribers.count).toBe(1);
  });
});
