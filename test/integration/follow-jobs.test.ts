import type { JobStatus } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKey } from "../../src/queue/queue-keys.ts";
import { openStore, whenReady } from "../../src/redis/connection.ts";
import { hasEnded } from "../../src/status/job-status.ts";
import type { Interest } from "../../src/status/subscribe-job.ts";
import { openSubscribers, type Subscribers } from "../../src/status/subscribers.ts";
import { anyJob } from "../support/application.ts";
import { plainStores } from "../support/queue-stores.ts";
import { startRedisServer } from "../support/redis-server.ts";
import { applicationOf, createService, type Variables } from "../support/service.ts";
import { until } from "../support/until.ts";

const AN_HOUR = 3_600_000;
const job = anyJob();

/** Followers with a connection of their own, as an API has them, and a producer of jobs that are done in no time. */
async function openSubscribed(lookAgainMs: number, variables: Variables = {}) {
  const service = createService(applicationOf(job.handler(async ({ payload }) => payload)), variables);
  const prefix = service.env.HOLDFAST_PREFIX;
  const client = openStore(service.env.REDIS_URL, "fail-fast", () => {});
  await whenReady(client, 5_000);
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

/** Follows a job; what it has been told of it so far. */
async function follow(subscribers: Subscribers, id: string, interest: Interest = "everything") {
  const told: (JobStatus | undefined)[] = [];
  const following = await subscribers.follow(id, interest, (status) => told.push(status));
  told.unshift(following.status);
  return { told, following };
}

describe("who follows a job", () => {
  it("never misses its end, whenever it begins to follow", async () => {
    const { service, open, submit } = await openSubscribed(AN_HOUR);
    await service.startWorker();

    // Each round opens a reader of events anew, just while its jobs run.
    for (let round = 0; round < 15; round += 1) {
      const subscribers = open();
      const jobs = Array.from({ length: 20 }, async () => follow(subscribers, await submit()));
      for (const { told } of await Promise.all(jobs)) {
        await until("the end is told", () => told.some((status) => status !== undefined && hasEnded(status)));
        expect(new Set(told.map((status) => JSON.stringify(status))).size).toBe(told.length);
      }
      await subscribers.stop();
    }
  });

  it("learns of a change although its event was trimmed away", async () => {
    const { open, submit, key, change } = await openSubscribed(2_000);
    const id = await submit();
    const { told } = await follow(open(), id);
    await change(id, 10).exec();
    await until("events are heard", () => told.at(-1)?.progress === 10);

    await change(id, 40).xtrim(key("events"), "MAXLEN", 0).exec();

    await until("the change is told", () => told.at(-1)?.progress === 40);
  });

  it("learns at once of a change whose event was trimmed away because the reader was behind", async () => {
    const { open, submit, key, change } = await openSubscribed(AN_HOUR);
    const id = await submit();
    const { told } = await follow(open(), id);
    await change(id, 10).exec();
    await until("events are heard", () => told.at(-1)?.progress === 10);

    const burst = change(id, 40);
    for (let others = 0; others < 3_000; others += 1) {
      burst.xadd(key("events"), "*", "event", "waiting", "jobId", "another");
    }
    await burst.xtrim(key("events"), "MAXLEN", 2_500).exec();

    await until("the change is told", () => told.at(-1)?.progress === 40);
  });

  it("learns at once of what happened while the reader's connection was lost", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const { store, open, submit, key } = await openSubscribed(AN_HOUR, { REDIS_URL: server.url });
    const id = await submit();
    const { told } = await follow(open(), id);
    const readerId = await until("the reader reads", async () => {
      const clients = String(await store.client("LIST")).split("\n");
      return /^id=(\d+)/.exec(clients.find((line) => line.includes("cmd=xread")) ?? "")?.[1];
    });

    await store.client("KILL", "ID", readerId);
    await store.hset(key(id), "progress", "40");

    await until("the change is told", () => told.at(-1)?.progress === 40, 3_000);
  });

  it("costs no read for what happens on the way where it only wants the end", async () => {
    const { store, open, submit, key, change } = await openSubscribed(AN_HOUR);
    const [id, otherId, subscribers] = [await submit(), await submit(), open()];
    const { told } = await follow(subscribers, id, "end");
    const other = await follow(subscribers, otherId);
    await change(otherId, 10).exec();
    await until("events are heard", () => other.told.at(-1)?.progress === 10);

    await change(id, 40).exec();
    for (const event of ["added", "waiting", "delayed", "active"])
      await store.xadd(key("events"), "*", "event", event, "jobId", id);
    await change(otherId, 50).exec();

    await until("the other's progress is told", () => other.told.at(-1)?.progress === 50);
    expect(told).toHaveLength(1);
    await store.xadd(key("events"), "*", "event", "completed", "jobId", id);
    await until("the end was looked for", () => told.at(-1)?.progress === 40);
  });

  it("hears no more once it has left, and is no longer counted", async () => {
    const { open, submit, change } = await openSubscribed(AN_HOUR);
    const [id, subscribers] = [await submit(), open()];
    const [left, stayed] = [await follow(subscribers, id), await follow(subscribers, id)];
    expect(subscribers.count).toBe(2);

    left.following.leave();
    left.following.leave();
    await change(id, 40).exec();

    await until("the change is told", () => stayed.told.at(-1)?.progress === 40);
    expect(left.told).toHaveLength(1);
    expect(subscribers.count).toBe(1);
  });
});
