import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { latch } from "../../support/latch.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = defineJob({
  type: "acting",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});

/** Of whoever else has an effect. */
const another = { reservationId: "another", job: "another", fence: "1", worker: "gone", delivery: 1 };

/** Jobs of one key, one after the other. Each acts and then does what is next. */
async function prepare() {
  const service = createService(
    applicationOf(
      job.handler(async ({ effect }) => {
        await effect("act", () => parts.act());
        await parts.after();
      }),
    ),
    { HOLDFAST_LOCK_MS: "1000" },
  );
  const producer = await service.createProducer();
  const redis = service.connect();
  const { HOLDFAST_PREFIX: prefix } = service.env;
  const keys = queueKeys(prefix, "default");
  const dedupKey = dedupKeyOf("acting", "k");
  const ledger = keys.ledger(dedupKey);
  const members = async () => [
    ...(await redis.zrange(keys.joinedJobs, "0", "-1")),
    ...(await redis.lrange(keys.newLedgers, 0, -1)),
  ];
  const parts = {
    ...{ service, producer, redis, keys, ledger, dedupKey },
    act: async (): Promise<unknown> => 1,
    after: async (): Promise<unknown> => 1,
    jobKey: (id: string) => queueKey(prefix, "default", id),
    /** A new job, although an earlier one had the key. */
    submit: async () => {
      await redis.del(keys.dedupKey(dedupKey));
      return (await producer.submit(job, null, { idempotencyKey: "k" })).id;
    },
    memberOf: (id: string) => `${id}/${dedupKey}`,
    hasLeft: async (id: string) => !(await members()).some((member) => member.includes(id)),
    lookNow: async (id: string) => await redis.zadd(keys.joinedJobs, "XX", 1, `${id}/${dedupKey}`),
  };
  return parts;
}

type Parts = Awaited<ReturnType<typeof prepare>>;

/** A job that acted and then failed. */
async function failedJob(parts: Parts) {
  parts.after = async () => {
    throw new Error("after its effect");
  };
  const id = await parts.submit();
  await untilState(parts.producer, id, "failed");
  await until(
    "the sweep has looked",
    async () => (await parts.redis.zscore(parts.keys.joinedJobs, parts.memberOf(id))) !== null,
  );
  return id;
}

describe.concurrent("a ledger that two jobs use", () => {
  it("is kept once the later one has completed, while the failed one can be retried", async () => {
    const parts = await prepare();
    await parts.service.startWorker();
    await failedJob(parts);
    parts.after = async () => 1;
    const id = await parts.submit();
    await untilState(parts.producer, id, "completed");

    await until("it has left", () => parts.hasLeft(id));

    expect(await parts.redis.pttl(parts.ledger)).toBe(-1);
  });

  it("is kept once the failed one is removed, while the later one runs, and no longer", async () => {
    const parts = await prepare();
    const { service, producer, redis, ledger } = parts;
    await service.startWorker();
    const removed = await failedJob(parts);
    const [runs, ends] = [latch(), latch()];
    parts.after = async () => {
      runs.open();
      await ends.opened;
    };
    const id = await parts.submit();
    await runs.opened;
    await (await service.openBareQueue().getJob(removed))?.remove();
    await parts.lookNow(removed);
    await until("the removed one has left", () => parts.hasLeft(removed));

    const kept = await redis.pttl(ledger);
    ends.open();
    await untilState(producer, id, "completed");
    await until("the later one has left", () => parts.hasLeft(id));

    expect(kept).toBe(-1);
    expect(await redis.pttl(ledger)).toBeGreaterThan(0);
  });

  it("expires again after a job that began while it expired", async () => {
    const parts = await prepare();
    const { service, producer, redis, ledger } = parts;
    await service.startWorker();
    const first = await parts.submit();
    await until("it expires", async () => (await redis.pttl(ledger)) > 0);
    const second = await parts.submit();
    await untilState(producer, second, "completed");

    await until("both have left", async () => (await parts.hasLeft(first)) && (await parts.hasLeft(second)));

    expect(await redis.pttl(ledger)).toBeGreaterThan(0);
  });

  it("has what one of them has reserved as it is when the other has completed", async () => {
    const parts = await prepare();
    const { redis, ledger, service, producer } = parts;
    const reserved = { ...another, state: "reserved", at: Date.now(), deadline: Date.now() + 600_000 };
    parts.after = async () => {
      await redis.hset(ledger, "e:other", JSON.stringify(reserved), "open", 1);
    };
    await service.startWorker();
    const id = await parts.submit();
    await untilState(producer, id, "completed");

    await until("it has left", () => parts.hasLeft(id));

    expect(JSON.parse((await redis.hget(ledger, "e:other")) ?? "")).toEqual(reserved);
  });
});

describe.concurrent("a ledger that is gone", () => {
  it("lets no job go on by itself that failed in doubt", async () => {
    const parts = await prepare();
    const { redis, keys, ledger, service, producer } = parts;
    await redis.hset(
      ledger,
      "e:act",
      JSON.stringify({ ...another, state: "in-doubt", at: 1, reason: "x" }),
      "open",
      1,
    );
    await service.startWorker();
    const id = await parts.submit();
    await untilState(producer, id, "failed");
    await redis.del(ledger);
    await parts.lookNow(id);

    await until(
      "the sweep has looked",
      async () => Number(await redis.zscore(keys.joinedJobs, parts.memberOf(id))) > 1,
    );

    expect(await producer.status(id)).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
  });
});

/** Redis comes back from an older copy that lacks the reservation of a run which is under way. */
async function loseReservation(parts: Parts, more: (id: string) => Promise<unknown>) {
  const { redis, keys, ledger, service } = parts;
  parts.act = async () => {
    await redis
      .multi()
      .hset(keys.epoch, "count", 0)
      .hdel(ledger, "e:act")
      .hset(ledger, "open", 0)
      .del(keys.newLedgers)
      .exec();
    await more(id);
  };
  const id = await parts.submit();
  await service.startWorker();
  await until("it is in doubt", async () => (await redis.hget(ledger, "e:act"))?.includes("in-doubt"));
}

describe.concurrent("a doubt about a reservation that Redis has lost", () => {
  it("does not expire with a ledger that no job uses", async () => {
    const parts = await prepare();
    const { redis, ledger } = parts;

    await loseReservation(parts, (id) => redis.multi().pexpire(ledger, 600_000).del(parts.jobKey(id)).exec());

    expect(await redis.pttl(ledger)).toBe(-1);
  });

  it("leaves counted how many jobs use the ledger", async () => {
    const parts = await prepare();
    const { redis, keys, ledger } = parts;

    await loseReservation(parts, (id) =>
      redis
        .multi()
        .hset(ledger, "jobs", 2)
        .zadd(keys.joinedJobs, Date.now() + 600_000, parts.memberOf(id))
        .exec(),
    );

    expect(await redis.hget(ledger, "jobs")).toBe("2");
  });

  it("counts its job where the ledger itself is gone, and the job is still joined to it", async () => {
    const parts = await prepare();
    const { redis, keys, ledger } = parts;

    await loseReservation(parts, (id) =>
      redis
        .multi()
        .del(ledger)
        .zadd(keys.joinedJobs, Date.now() + 600_000, parts.memberOf(id))
        .exec(),
    );

    expect(await redis.hget(ledger, "jobs")).toBe("1");
  });
});
