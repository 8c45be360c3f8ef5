import { randomBytes } from "node:crypto";
import { type Attempt, defineJob, NotDoneError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { connectQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { reserveTogether } from "../../../src/core/effect/ledger/ledger.ts";
import { resolveDoubt } from "../../../src/core/effect/ledger/resolve-doubt.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { text } from "../../../src/platform/redis/reply-shape.ts";
import { loadScript } from "../../../src/platform/redis/script.ts";
import { post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import {
  applicationOf,
  createService,
  testEnvironment,
  untilState,
  type Variables,
} from "../../support/service.ts";

const job = defineJob({
  type: "acting",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
type Given = Attempt<null, "act">;

/** A job whose ledger others change by hand. Its worker is not started yet. */
async function prepare(handle: (given: Given) => Promise<unknown>, more: Variables = {}) {
  const service = createService(applicationOf(job.handler(handle)), { HOLDFAST_LOCK_MS: "1000", ...more });
  const producer = await service.createProducer();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  const dedupKey = dedupKeyOf("acting", "k");
  const redis = service.connect();
  const ledger = keys.ledger(dedupKey);
  const submit = async () => (await producer.submit(job, null, { idempotencyKey: "k" })).id;
  const entry = async () => JSON.parse((await redis.hget(ledger, "e:act")) ?? "null");
  const put = async (more: object) => {
    const given = { reservationId: "another", at: Date.now(), fence: "1", worker: "gone", delivery: 1 };
    await redis.hset(ledger, "e:act", JSON.stringify({ ...given, ...more }), "open", 1);
  };
  return { service, producer, keys, dedupKey, redis, ledger, submit, entry, put };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

async function run({ service, producer, submit }: Prepared) {
  const id = await submit();
  await service.startWorker();
  return { id, status: await untilState(producer, id, "completed", "failed") };
}

describe("a report of an effect that others have resolved meanwhile", () => {
  it("is refused, and takes nothing back, where it says not done of what somebody calls done", async () => {
    let runs = 0;
    const prepared: Prepared = await prepare(async ({ effect }) => {
      await effect("act", async () => {
        runs += 1;
        const { reservationId, at } = await prepared.entry();
        await prepared.put({ state: "done", reservationId, at });
        await prepared.redis.hset(prepared.ledger, "open", 0);
        throw new NotDoneError("refused");
      }).catch(() => {});
    });

    await run(prepared);

    expect(await prepared.entry()).toMatchObject({ state: "done" });
    expect(await prepared.redis.hget(prepared.ledger, "open")).toBe("0");
    expect(runs).toBe(1);
  });

  it("is refused where somebody calls not done what it says is done: the effect runs again", async () => {
    let runs = 0;
    const prepared: Prepared = await prepare(async ({ effect }) =>
      effect("act", async () => {
        runs += 1;
        if (runs === 1)
          await prepared.redis.multi().hdel(prepared.ledger, "e:act").hset(prepared.ledger, "open", 0).exec();
        return runs;
      }),
    );

    const { status } = await run(prepared);

    expect(status).toMatchObject({ state: "completed", result: 2 });
  });
});

describe("a job beside what others have left in its ledger", () => {
  it("does not complete while another job's run is open, though both are at their second delivery", async () => {
    const prepared = await prepare(async ({ attempt }) => {
      if (attempt === 1) throw new Error("again");
    });
    await prepared.put({ state: "reserved", job: "another", delivery: 2, deadline: 1 });

    const { status } = await run(prepared);

    expect(status).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
  });

  it("fails where it was deferred again and again for the same effect", async () => {
    const prepared = await prepare(async ({ effect }) => effect("act", async () => 1));
    const { service, producer, redis } = prepared;
    await prepared.put({ state: "reserved", job: "another", deadline: Date.now() + 60_000 });
    const id = await prepared.submit();
    await redis.hset(queueKey(service.env.HOLDFAST_PREFIX, "default", id), "deferrals", 50);
    await service.startWorker();

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "failed",
      error: { code: "STARTS_EXHAUSTED" },
    });
  });

  it("fails, and is not put off, where the stored result of its effect was changed", async () => {
    const keys = { HOLDFAST_ENCRYPTION_KEYS: `1:${randomBytes(32).toString("base64")}` };
    const prepared: Prepared = await prepare(async ({ effect }) => {
      const result = await effect("act", async () => 1);
      const { redis, ledger } = prepared;
      const stored = (await redis.hget(ledger, "r:act")) ?? "";
      await redis.hset(ledger, "r:act", `${stored.slice(0, -6)}AAAAAA`);
      await effect("act", async () => 2);
      return result;
    }, keys);

    const { status } = await run(prepared);

    expect(status).toMatchObject({ state: "failed", attemptsMade: 3, error: { code: "DECRYPTION_FAILED" } });
  });

  it("asks no probe for an effect that is declared to be held", async () => {
    let asked = 0;
    const probe = async () => {
      asked += 1;
      return "not-done";
    };
    const prepared = await prepare(async ({ effect }) => effect("act", async () => 1, { probe } as object));
    const { redis, keys, dedupKey } = prepared;
    await prepared.put({ state: "in-doubt", job: "another", reason: "unknown" });
    await redis.zadd(keys.doubts, 1, `${dedupKey}/act`);

    const { status } = await run(prepared);

    expect(status).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
    expect(asked).toBe(0);
  });

  it("stays as it is, once completed, when a doubt of its key is resolved", async () => {
    const prepared = await prepare(async () => "done");
    const { id } = await run(prepared);
    const { redis, keys, dedupKey, service } = prepared;
    const { url } = await service.startApi();
    const resolve = () => post(`${url}/jobs/${id}/effects/act/resolve`, { as: "done", evidence: "seen" });
    expect(await resolve()).toMatchObject({ status: 409, body: { code: "EFFECT_NOT_IN_DOUBT" } });
    await prepared.put({ state: "in-doubt", job: id, reason: "unknown", delivery: 1 });
    await redis.zadd(keys.doubts, 1, `${dedupKey}/act`);

    expect(await resolve()).toMatchObject({ status: 200, body: { job: "completed" } });
  });
});

it("begins nothing where Redis came back from an older copy of its data, that knows of no run", async () => {
  let runs = 0;
  const codes: unknown[] = [];
  const prepared: Prepared = await prepare(async ({ effect }) => {
    await effect("act", async () => ++runs);
    // The copy has the job's lock, and not the ledger's entry.
    await prepared.redis
      .multi()
      .hset(prepared.keys.epoch, "count", 0)
      .hdel(prepared.ledger, "e:act", "r:act")
      .exec();
    await effect("act", async () => ++runs).catch((error: { code: unknown }) => codes.push(error.code));
    ended.open();
  });
  const ended = latch();
  await prepared.submit();
  await prepared.service.startWorker();
  await ended.opened;

  expect(codes).toEqual(["STORE_ROLLED_BACK"]);
  expect(runs).toBe(1);
});

describe("a handler's own part", () => {
  it("begins nothing once its attempt has ended, and Redis is not asked", async () => {
    let late: Given["effect"] | undefined;
    let runs = 0;
    await run(
      await prepare(async ({ effect }) => {
        late = effect;
      }),
    );

    const called = late?.("act", async () => ++runs);

    await expect(called).rejects.toThrow('The attempt has ended; effect "act" was not begun');
    expect(runs).toBe(0);
  });

  it("learns from its signal that its effect has failed, whoever still runs for it", async () => {
    const { status } = await run(
      await prepare(async ({ effect }) => {
        let signal: AbortSignal | undefined;
        const seen: (boolean | undefined)[] = [];
        await effect("act", async (call) => {
          signal = call.signal;
          seen.push(signal.aborted);
          throw new NotDoneError("refused");
        }).catch(() => {});
        return [...seen, signal?.aborted];
      }),
    );

    expect(status).toMatchObject({ state: "completed", result: [false, true] });
  });

  it("leaves in a ledger of one effect its entry, its result, and how many are open", async () => {
    const prepared = await prepare(async ({ effect }) => effect("act", async () => 1));

    await run(prepared);

    expect((await prepared.redis.hkeys(prepared.ledger)).sort()).toEqual(["e:act", "open", "r:act"]);
  });
});

it("a doubt that somebody has just resolved as not done is none", async () => {
  const application = applicationOf(job.handler(async () => undefined));
  const queues = await connectQueues(application, readSettings(testEnvironment()), [], "fail-fast");
  onTestFinished(() => queues.stop());
  const doubt = { dedupKey: "k", effect: "act" };
  const resolution = { as: "not-done", evidence: "seen", by: "another" } as const;

  const resolved = await resolveDoubt(queues.stores.of("default"), 1_000, doubt, resolution);

  expect(resolved).toEqual({ kind: "not-in-doubt", state: null });
});

it("a reply of more or fewer answers than were asked for is none", async () => {
  const application = applicationOf(job.handler(async () => undefined));
  const queues = await connectQueues(application, readSettings(testEnvironment()), [], "fail-fast");
  onTestFinished(() => queues.stop());
  const answersNothing = loadScript(import.meta.url, "../../support/fixtures/answer-nothing.lua", text);

  const asked = reserveTogether(queues.stores.of("default"), answersNothing, [], [], ["a request"]);

  await expect(asked).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
