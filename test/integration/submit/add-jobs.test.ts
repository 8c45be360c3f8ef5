/** The script that adds many jobs writes what BullMQ would write for each of them. A BullMQ upgrade that writes something else fails here. */

import type { Queue } from "bullmq";
import { beforeEach, describe, expect, it } from "vitest";
import { envelopeJson } from "../../../src/core/bullmq/add/envelope.ts";
import { createJobAdder, type JobAdder } from "../../../src/core/bullmq/add/job-adder.ts";
import type { NewJob } from "../../../src/core/bullmq/add/new-job.ts";
import { bullmqQueueName } from "../../../src/core/bullmq/store/queue-keys.ts";
import { createEpoch, epochComparison, OTHER_EPOCH } from "../../../src/platform/redis/fitness/epoch.ts";
import { application } from "../../support/application.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { createService, type Service } from "../../support/service.ts";

const durability = { level: "disk", replicas: 0 } as const;
let service: Service;
let theirs: Queue;
let ours: Queue;
let adder: JobAdder;
let written: number;

beforeEach(async () => {
  service = createService(application);
  theirs = service.openBareQueue("theirs");
  ours = service.openBareQueue("ours");
  written = 0;
  const client = service.connect();
  const store = plainStores(client, service.env.HOLDFAST_PREFIX).of("ours");
  const epoch = createEpoch({
    compare: epochComparison(client, durability),
    key: store.keys.epoch,
    durability,
    write: async (script, keys, args) => {
      const reply = await script.run(client, keys, args);
      if (reply !== OTHER_EPOCH) written++;
      return { reply, unconfirmed: undefined };
    },
    remembered: undefined,
    countOf: () => 0,
    layout: { known: () => "", first: "", agree: async () => "" },
    onLoss: async () => {},
  });
  adder = createJobAdder({ ...store, epoch, fitness: { confirm: () => undefined } });
  await Promise.all([theirs.waitUntilReady(), ours.waitUntilReady()]);
});

const newJob = (id: string, changes: Partial<NewJob> = {}): NewJob => ({
  id,
  type: "mail",
  envelope: { key: `key of ${id}`, payloadJson: JSON.stringify({ text: "Grüße, 🌊", list: [1, null] }) },
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timing: { delayMs: 0, priority: 0 },
  trace: undefined,
  dedup: { key: `claim-${id}`, holdMs: 600_000 },
  ...changes,
});

/** The same job, added by BullMQ. */
function addTheirs(job: NewJob) {
  const { id, type, envelope, retry, timing, trace, dedup } = job;
  const { delayMs, priority } = timing;
  const { attempts, backoff } = retry;
  const jitter = backoff.kind === "exponential" ? { jitter: backoff.jitter ?? 0 } : {};
  return theirs.add(type, JSON.parse(envelopeJson(envelope)), {
    jobId: id,
    attempts,
    backoff: { type: backoff.kind, delay: backoff.delayMs, ...jitter },
    deduplication: { id: dedup.key, ttl: dedup.holdMs },
    ...(delayMs > 0 && { delay: delayMs }),
    ...(priority > 0 && { priority }),
    ...(trace !== undefined && { telemetry: { metadata: trace } }),
  });
}

/** All keys of a queue, with times replaced and our known differences evened out. */
async function keptOf(queue: Queue): Promise<Record<string, unknown>> {
  const store = service.connect();
  const start = `${service.env.HOLDFAST_PREFIX}:${queue.name}:`;
  const names = (await store.keys(`${start.replace(/[{}]/g, "\\$&")}*`)).sort();
  const theirsToo = names.filter((name) => !/:(epoch|jobs-since-memory-check)$/.test(name));
  const values = await Promise.all(
    theirsToo.map(async (name) => [name.slice(start.length), await read(name)]),
  );
  return Object.fromEntries(values);

  async function read(name: string): Promise<unknown> {
    switch (await store.type(name)) {
      case "string":
        return { text: await store.get(name), expires: (await store.pttl(name)) > 590_000 };
      case "list":
        return store.lrange(name, 0, -1);
      case "zset":
        return scores(await store.zrange(name, "0", "-1", "WITHSCORES"), name.endsWith("prioritized"));
      case "stream":
        return (await store.xrange(name, "-", "+")).map(([, fields]) => event(fields));
      default:
        return hash(await store.hgetall(name));
    }
  }
}

/** Scores of times are replaced; their order is kept. */
function scores(replies: readonly string[], areExact: boolean): unknown[] {
  return replies.map((reply, index) =>
    index % 2 === 0 || areExact || Number(reply) < 1e9
      ? reply
      : `about 1e${Math.floor(Math.log10(Number(reply)))}`,
  );
}

function event(fields: readonly string[]): string[] {
  return fields.map((field, index) => (fields[index - 1] === "delay" ? "a time" : field));
}

function hash(fields: Record<string, string>): unknown {
  if (fields.opts === undefined) return fields;
  const { jobId: _, de: __, ...opts } = JSON.parse(fields.opts);
  // Our jobs do not name their deduplication key: BullMQ reads two more keys at the end of one that does.
  const { deid: ___, ...others } = fields;
  return { delay: "0", priority: "0", ...others, opts, timestamp: Number(fields.timestamp) > 1e12 };
}

async function addToBoth(jobs: readonly NewJob[]): Promise<void> {
  for (const job of jobs) await addTheirs(job);
  await Promise.all(jobs.map((job) => adder.add(job)));
}

describe("jobs added together", () => {
  it("leave the same data as BullMQ's own scripts", async () => {
    await addToBoth([
      newJob("plain"),
      newJob("other", {
        type: "digest",
        retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 10, jitter: 0.5 } },
      }),
      newJob("urgent", { timing: { delayMs: 0, priority: 1 } }),
      newJob("less urgent", { timing: { delayMs: 0, priority: 7 } }),
      newJob("as urgent", { timing: { delayMs: 0, priority: 1 } }),
      newJob("later", { timing: { delayMs: 60_000, priority: 0 } }),
      newJob("just as late", { timing: { delayMs: 60_000, priority: 2 } }),
      newJob("twice", { dedup: { key: "claim-plain", holdMs: 600_000 } }),
      newJob("traced", {
        trace: '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}',
      }),
      newJob("last"),
    ]);

    expect(await keptOf(ours)).toEqual(await keptOf(theirs));
  });

  it("leave it in a paused queue, too", async () => {
    await Promise.all([theirs.pause(), ours.pause()]);

    await addToBoth([
      newJob("plain"),
      newJob("urgent", { timing: { delayMs: 0, priority: 1 } }),
      newJob("later", { timing: { delayMs: 60_000, priority: 0 } }),
    ]);

    expect(await keptOf(ours)).toEqual(await keptOf(theirs));
  });

  it("leave it in a queue at its concurrency limit, too", async () => {
    await Promise.all([theirs.setGlobalConcurrency(1), ours.setGlobalConcurrency(1)]);
    const store = service.connect();
    for (const { name } of [theirs, ours])
      await store.lpush(`${service.env.HOLDFAST_PREFIX}:${name}:active`, "busy");

    await addToBoth([newJob("plain")]);

    expect(await keptOf(ours)).toEqual(await keptOf(theirs));
  });

  it("leave it in a queue that BullMQ has never opened, too", async () => {
    const store = service.connect();
    for (const { name } of [theirs, ours]) await store.del(`${service.env.HOLDFAST_PREFIX}:${name}:meta`);

    await addToBoth([newJob("plain")]);

    expect(await keptOf(ours)).toEqual(await keptOf(theirs));
  });

  it("run in the order of submission, over any number of commands", async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `job-${index}`);

    await Promise.all(ids.map((id) => adder.add(newJob(id))));

    const waiting = await service
      .connect()
      .lrange(`${service.env.HOLDFAST_PREFIX}:${bullmqQueueName("ours")}:wait`, 0, -1);
    expect(waiting.reverse()).toEqual(ids);
  });

  it("keep their deduplication key when a BullMQ tool removes them", async () => {
    await adder.add(newJob("removed"));

    await ours.remove("removed");

    expect(await adder.add(newJob("again", { dedup: { key: "claim-removed", holdMs: 600_000 } }))).toBe(
      "removed",
    );
  });

  it("share one command, up to 32, and are acknowledged together", async () => {
    await Promise.all(Array.from({ length: 32 }, (_, index) => adder.add(newJob(`job-${index}`))));

    expect(written).toBe(1);
  });

  it("block Redis no longer than a megabyte takes", async () => {
    const large = { key: "large", payloadJson: JSON.stringify("x".repeat(400_000)) };

    await Promise.all(
      Array.from({ length: 5 }, (_, index) => adder.add(newJob(`job-${index}`, { envelope: large }))),
    );

    expect(written).toBe(3);
    expect(await ours.getJobCounts()).toMatchObject({ waiting: 5 });
  });
});

describe("a job sent again because its reply was lost", () => {
  it("is the same job, and no duplicate", async () => {
    const job = newJob("plain");

    expect([await adder.add(job), await adder.add(job)]).toEqual(["plain", "plain"]);
    expect(await ours.getJobCounts()).toMatchObject({ waiting: 1 });
  });
});
