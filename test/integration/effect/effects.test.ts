import {
  createProducer,
  defineConfig,
  defineJob,
  type EffectDeclaration,
  NotDoneError,
  type RunEffect,
} from "holdfast";
import { connection } from "holdfast/evidence";
import { startWorker } from "holdfast/worker";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { z } from "zod";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { openSubmitPath } from "../../../src/core/submit/submit-path.ts";
import { openRunsElsewhere } from "../../../src/desk/guarded/runs-elsewhere.ts";
import { openOperator } from "../../../src/desk/operator.ts";
import { features } from "../../../src/features/index.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";

const prefix = `effects-${process.pid}`;
const env = {
  REDIS_URL: inject("redisUrl"),
  HOLDFAST_PREFIX: prefix,
  HOLDFAST_LOG_LEVEL: "silent",
  HOLDFAST_LOCK_MS: "1000",
};
const settings = readSettings(env);

/** Each test decides what its jobs do, by their idempotency key. */
type Name = "act" | "connect" | "probed" | "repeated";
type Behaviour = (effect: RunEffect<Name>, attempt: number) => Promise<number>;
const behaviours = new Map<string, Behaviour>();

const effects: Record<Name, EffectDeclaration> = {
  act: { timeoutMs: 300, inDoubt: "hold" },
  // On a busy machine a name that nobody has takes longer.
  connect: { timeoutMs: 4_000, inDoubt: "hold" },
  probed: { timeoutMs: 300, inDoubt: "probe" },
  repeated: { timeoutMs: 300, inDoubt: "repeat", downstreamRemembersMs: 1_000 },
};
const job = defineJob({
  type: "acting",
  payload: z.strictObject({}),
  result: z.strictObject({ value: z.number() }),
  retry: { attempts: 4, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 5_000,
  effects,
});
const handler = job.handler(async ({ effect, idempotencyKey, attempt }) => {
  const behaviour = behaviours.get(idempotencyKey);
  return { value: (await behaviour?.(effect, attempt)) ?? -1 };
});
const application = defineConfig({ jobs: [job], handlers: async () => [handler] });

const started = {
  worker: startWorker(application, env),
  producer: createProducer(application, env),
  path: openSubmitPath(application, settings, features),
};
const redis = new Redis(env.REDIS_URL);

beforeAll(() => Promise.all(Object.values(started)));
afterAll(async () => {
  for (const part of Object.values(started)) await (await part).stop();
  redis.disconnect();
});

async function submit(key: string, behaviour: Behaviour): Promise<string> {
  behaviours.set(key, behaviour);
  const { id } = await (await started.producer).submit(job, {}, { idempotencyKey: key });
  return id;
}

async function ended(id: string) {
  return await vi.waitFor(
    async () => {
      const status = await (await started.producer).status(id);
      if (status?.state !== "completed" && status?.state !== "failed")
        throw new Error(`still ${status?.state}`);
      return status;
    },
    { timeout: 30_000, interval: 20 },
  );
}

async function operator() {
  const path = await started.path;
  const { stores, submitter } = path;
  return openOperator({
    application,
    stores,
    settings,
    runs: openRunsElsewhere(path, settings),
    submitAct: submitter.submit,
    submitNotice: submitter.submitOwn,
    submit: submitter.submit,
    submitOwn: submitter.submitOwn,
  });
}

function unanswered(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

function ledgerOf(key: string): string {
  return queueKeys(prefix, "default").ledger(dedupKeyOf("acting", key));
}

describe("an effect that ran to its end", () => {
  it("is not run again by a later attempt, which gets its stored result", async () => {
    const runs: string[] = [];
    const id = await submit("stored", async (effect, attempt) => {
      const value = await effect("act", async ({ key }) => runs.push(key));
      if (attempt < 3) throw new Error("something after the effect fails");
      return value ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", attemptsMade: 3, result: { value: 1 } });
    expect(runs).toHaveLength(1);
  });

  it("is not run again by another job of the same key", async () => {
    let runs = 0;
    const act: Behaviour = async (effect) => (await effect("act", async () => ++runs)) ?? 0;
    const first = await submit("again", act);
    await ended(first);
    await redis.del(queueKey(prefix, "default", `de:${dedupKeyOf("acting", "again")}`));
    const second = await submit("again", act);
    expect(second).not.toBe(first);
    expect(await ended(second)).toMatchObject({
      state: "completed",
      result: { value: 1 },
      effects: [{ name: "act", state: "done" }],
    });
    expect(runs).toBe(1);
  });

  it("is one of several, distinguished by an index, each with its own outcome", async () => {
    const runs: string[] = [];
    const id = await submit("indexed", async (effect, attempt) => {
      for (const index of ["a", "b", "c"]) {
        await effect("act", async () => runs.push(index), { index });
        if (index === "b" && attempt === 1) throw new Error("in the middle of the loop");
      }
      return runs.length;
    });
    expect(await ended(id)).toMatchObject({
      state: "completed",
      effects: [{ name: "act/a" }, { name: "act/b" }, { name: "act/c", state: "done" }],
    });
    expect(runs).toEqual(["a", "b", "c"]);
  });

  it("is remembered for the retention, and no longer", async () => {
    const id = await submit("remembered", async (effect) => (await effect("act", async () => 1)) ?? 0);
    await ended(id);
    const ttl = await vi.waitFor(
      async () => {
        const found = await redis.pttl(ledgerOf("remembered"));
        expect(found).toBeGreaterThan(0);
        return found;
      },
      { timeout: 30_000 },
    );
    expect(ttl).toBeGreaterThan(settings.HOLDFAST_RETENTION_MS - 60_000);
    expect(ttl).toBeLessThanOrEqual(settings.HOLDFAST_RETENTION_MS);
  });

  it("counts as done even if its result cannot be stored, and reports that", async () => {
    let runs = 0;
    const id = await submit("huge", async (effect) => {
      await effect("act", async () => `${++runs}`.padEnd(20_000));
      return 0;
    });
    expect(await ended(id)).toMatchObject({
      error: { code: "RESULT_INVALID" },
      effects: [{ name: "act", state: "done" }],
    });
    expect(runs).toBe(1);
  });
});

describe("an effect that provably did not happen", () => {
  it.each([
    ["it was refused a connection", "http://127.0.0.1:2/"],
    ["no server has that name", "http://nobody.invalid/"],
  ])("is run again by the next attempt: %s", async (why, url) => {
    let runs = 0;
    const id = await submit(why, async (effect) => {
      const act = async () => {
        runs += 1;
        if (runs < 3) await fetch(url, { method: "POST" });
        return runs;
      };
      return (await effect("connect", act, { classify: connection })) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", attemptsMade: 3, result: { value: 3 } });
  });

  it("leaves nothing in the ledger when its job gives up", async () => {
    const id = await submit("refused", async (effect) => {
      await effect("act", async () => {
        throw new NotDoneError("downstream says no");
      });
      return 0;
    });
    expect(await ended(id)).toMatchObject({
      state: "failed",
      attemptsMade: 4,
      error: { code: "HANDLER_FAILED" },
      effects: [],
    });
  });

  it("may be recognised by the handler's own classifier", async () => {
    let runs = 0;
    const id = await submit("classified", async (effect) => {
      const act = async () => {
        runs += 1;
        if (runs === 1) await fetch("http://127.0.0.1:2/", { method: "POST" });
        return runs;
      };
      return (await effect("act", act, { classify: () => "not-done" })) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 2 } });
  });
});

describe("an effect in doubt", () => {
  const inDoubt = { state: "failed", attemptsMade: 1, error: { code: "EFFECT_IN_DOUBT", retryable: false } };

  it("fails its job visibly at once, and never expires", async () => {
    let runs = 0;
    const id = await submit("held", async (effect) => {
      await effect("act", async () => {
        runs += 1;
        throw unanswered();
      });
      return 0;
    });
    expect(await ended(id)).toMatchObject({ ...inDoubt, effects: [{ name: "act", state: "in-doubt" }] });
    expect(await (await operator()).doubts(0, 100)).toContainEqual(
      expect.objectContaining({ jobId: id, effect: "act", reason: "socket hang up", report: null }),
    );
    expect(await redis.pttl(ledgerOf("held"))).toBe(-1);
    expect(runs).toBe(1);
  });

  it("is the result of a time-out", async () => {
    const id = await submit("slow", async (effect) => {
      await effect("act", () => new Promise<never>(() => {}));
      return 0;
    });
    expect(await ended(id)).toMatchObject({ ...inDoubt, effects: [{ state: "in-doubt" }] });
  });

  it("fails its job even if the handler swallows it", async () => {
    const id = await submit("swallowed", async (effect) => {
      await effect("act", () => Promise.reject(unanswered())).catch(() => {});
      return 1;
    });
    expect(await ended(id)).toMatchObject(inDoubt);
  });

  it("is not run again when its failed job is retried by hand", async () => {
    let runs = 0;
    const id = await submit("retried", async (effect) => {
      await effect("act", async () => {
        runs += 1;
        throw unanswered();
      });
      return 0;
    });
    const before = await ended(id);
    await (await operator()).retry(id);
    await vi.waitFor(
      async () => {
        const after = await (await started.producer).status(id);
        expect(after).toMatchObject(inDoubt);
        expect(after?.finishedAt).not.toBe(before.finishedAt);
      },
      { timeout: 30_000 },
    );
    expect(runs).toBe(1);
  });

  it("completes its job without another run once resolved as done, with the given result", async () => {
    let runs = 0;
    const act: Behaviour = async (effect) => {
      const run = async () => {
        runs += 1;
        throw unanswered();
      };
      return (await effect<number>("act", run)) ?? -2;
    };
    const [given, none] = [await submit("done-given", act), await submit("done-none", act)];
    await Promise.all([ended(given), ended(none)]);
    const evidence = { as: "done", evidence: "seen in the provider's log", by: "test" } as const;
    await (await operator()).resolve(given, "act", { ...evidence, result: "7" });
    await (await operator()).resolve(none, "act", evidence);
    await vi.waitFor(async () =>
      expect(await ended(given)).toMatchObject({ state: "completed", result: { value: 7 } }),
    );
    await vi.waitFor(async () =>
      expect(await ended(none)).toMatchObject({ state: "completed", result: { value: -2 } }),
    );
    expect(runs).toBe(2);
  });

  it("runs exactly once more once resolved as not done", async () => {
    let runs = 0;
    const id = await submit("not-done", async (effect) => {
      const run = async () => {
        runs += 1;
        if (runs === 1) throw unanswered();
        return runs;
      };
      return (await effect("act", run)) ?? 0;
    });
    await ended(id);
    await (await operator()).resolve(id, "act", {
      as: "not-done",
      evidence: "nothing in the log",
      by: "test",
    });
    await vi.waitFor(async () =>
      expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 2 } }),
    );
    await vi.waitFor(async () => expect(await redis.pttl(ledgerOf("not-done"))).toBeGreaterThan(0), {
      timeout: 30_000,
    });
  });

  it("is resolved once: concurrent attempts to resolve it are refused", async () => {
    const id = await submit(
      "raced",
      async (effect) => (await effect<number>("act", () => Promise.reject(unanswered()))) ?? 5,
    );
    await ended(id);
    const resolveDoubt = async () =>
      (await operator()).resolve(id, "act", { as: "done", evidence: "log", by: "test" });
    const results = await Promise.allSettled(Array.from({ length: 10 }, resolveDoubt));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason.code);
    expect(new Set(refused)).toEqual(new Set(["EFFECT_NOT_IN_DOUBT"]));
  });

  it("leaves who resolved it, and on what evidence, in the audit log", async () => {
    const id = await submit(
      "audited",
      async (effect) => (await effect<number>("act", () => Promise.reject(unanswered()))) ?? 5,
    );
    await ended(id);
    await (await operator()).resolve(id, "act", { as: "done", evidence: "receipt 4711", by: "Ada" });
    const entries = await redis.xrange(queueKeys(prefix, "default").audit, "-", "+");
    expect(entries.map(([, fields]) => fields)).toContainEqual([
      "job",
      id,
      "effect",
      "act",
      "as",
      "done",
      "evidence",
      "receipt 4711",
      "by",
      "Ada",
      "dedupKey",
      dedupKeyOf("acting", "audited"),
    ]);
  });

  it("has one id in the audit log and in the records of its job with those that were resolved together", async () => {
    const keys = ["together-a", "together-b", "alone"];
    const ids = await Promise.all(
      keys.map((key) =>
        submit(key, async (effect) => (await effect<number>("act", () => Promise.reject(unanswered()))) ?? 5),
      ),
    );
    await Promise.all(ids.map(ended));
    const { resolve, resolveMany, auditTrail, detail } = await operator();
    const [first = "", second = "", alone = ""] = ids;
    const how = { as: "done", evidence: "the export", by: "Ada" } as const;
    const { actId } = await resolveMany({ ...how, ids: [{ jobId: first, effect: "act" }] });
    await resolveMany({ ...how, ids: [{ jobId: second, effect: "act" }], actId });
    await resolve(alone, "act", how);
    const entryOf = async (jobId: string) => (await auditTrail(1, { jobId }))[0]?.actId;
    expect(await Promise.all([first, second, alone].map(entryOf))).toEqual([actId, actId, null]);
    expect((await detail(second))?.record).toMatchObject([{ as: "done", actId }]);
  });

  it("can be resolved by a probe that knows", async () => {
    let runs = 0;
    const probing = (answer: "not-done" | { done: number }): Behaviour => {
      let calls = 0;
      return async (effect) => {
        const run = async () => {
          runs += 1;
          calls += 1;
          if (calls === 1) throw unanswered();
          return 100;
        };
        return (await effect<number>("probed", run, { probe: async () => answer })) ?? 0;
      };
    };
    const [was, wasNot] = [
      await submit("probe-done", probing({ done: 9 })),
      await submit("probe-not", probing("not-done")),
    ];
    expect(await ended(was)).toMatchObject({ state: "completed", result: { value: 9 } });
    expect(await ended(wasNot)).toMatchObject({ state: "completed", result: { value: 100 } });
    expect(runs).toBe(3);
  });

  it("stays in doubt through all attempts while the probe does not know", async () => {
    let asked = 0;
    const id = await submit("probe-unknown", async (effect) => {
      const probe = async () => {
        asked += 1;
        return "unknown" as const;
      };
      await effect("probed", () => Promise.reject(unanswered()), { probe });
      return 0;
    });
    expect(await ended(id)).toMatchObject({
      state: "failed",
      attemptsMade: 4,
      error: { code: "EFFECT_IN_DOUBT" },
    });
    expect(asked).toBe(3);
  });

  // What the types forbid. One never answers.
  const lies = [true, false, {}, [], "not_done", "done", null, 0, 1, new Promise(() => {})];
  it.concurrent.each(lies.map((lie) => ({ lie })))(
    "stays in doubt whatever else a probe answers: $lie",
    async ({ lie }) => {
      const id = await submit(`probe-lie-${lies.indexOf(lie)}`, async (effect) => {
        const probe = async () => (await lie) as "unknown";
        await effect("probed", () => Promise.reject(unanswered()), { probe });
        return 0;
      });
      expect(await ended(id)).toMatchObject({ error: { code: "EFFECT_IN_DOUBT" }, attemptsMade: 4 });
    },
  );

  it("is repeated if the handler swallows its error, and never left in doubt by a job that completes", async () => {
    let runs = 0;
    const id = await submit("swallowing", async (effect) => {
      const run = async () => {
        runs += 1;
        if (runs === 1) throw unanswered();
        return 7;
      };
      return (await effect("repeated", run).catch(() => 0)) ?? 0;
    });

    expect(await ended(id)).toMatchObject({
      state: "completed",
      attemptsMade: 2,
      result: { value: 7 },
      effects: [{ name: "repeated", state: "done" }],
    });
    expect(runs).toBe(2);
  });

  it("is repeated with the same key if downstream recognises it", async () => {
    const keys: string[] = [];
    const id = await submit("repeated", async (effect) => {
      const run = async ({ key }: { key: string }) => {
        keys.push(key);
        if (keys.length < 3) throw unanswered();
        return keys.length;
      };
      return (await effect("repeated", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 3 } });
    expect(new Set(keys).size).toBe(1);
    expect(
      await redis.zscore(queueKeys(prefix, "default").doubts, `${dedupKeyOf("acting", "repeated")}/repeated`),
    ).toBeNull();
  });

  it("is held once downstream may have forgotten the key", async () => {
    let runs = 0;
    const id = await submit("forgotten", async (effect) => {
      await effect("repeated", async () => {
        runs += 1;
        // As if the first run had been long ago.
        const ledger = ledgerOf("forgotten");
        const entry = JSON.parse((await redis.hget(ledger, "e:repeated")) ?? "{}");
        await redis.hset(ledger, "e:repeated", JSON.stringify({ ...entry, firstAt: entry.firstAt - 2_000 }));
        throw unanswered();
      });
      return 0;
    });
    expect(await ended(id)).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ state: "in-doubt" }],
    });
    expect(runs).toBe(1);
  });
});

describe("an effect that another worker may still be running", () => {
  function reservedElsewhere(deadlineMs: number): string {
    const now = Date.now();
    const entry = {
      state: "reserved",
      reservationId: "x",
      deadline: now + deadlineMs,
      firstAt: now,
      at: now,
      job: "j",
      delivery: 1,
      worker: "w",
    };
    return JSON.stringify(entry);
  }

  it("is waited for without using an attempt, and is in doubt after its deadline", async () => {
    let runs = 0;
    await redis.hset(ledgerOf("elsewhere"), "e:act", reservedElsewhere(400), "open", 1);
    const begun = Date.now();
    const id = await submit("elsewhere", async (effect) => (await effect("act", async () => ++runs)) ?? 0);
    expect(await ended(id)).toMatchObject({ attemptsMade: 1, error: { code: "EFFECT_IN_DOUBT" } });
    expect(Date.now() - begun).toBeGreaterThanOrEqual(400);
    expect(runs).toBe(0);
  });

  it("shares its result if it ends in time", async () => {
    let runs = 0;
    await redis.hset(ledgerOf("in-time"), "e:act", reservedElsewhere(500), "open", 1);
    const id = await submit("in-time", async (effect) => (await effect("act", async () => ++runs)) ?? 0);
    await vi.waitFor(async () =>
      expect(await (await started.producer).status(id)).toMatchObject({ state: "delayed" }),
    );
    const done = JSON.stringify({ ...JSON.parse(reservedElsewhere(0)), state: "done" });
    await redis.hset(ledgerOf("in-time"), "e:act", done, "r:act", "42", "open", 0);
    expect(await ended(id)).toMatchObject({ state: "completed", attemptsMade: 1, result: { value: 42 } });
    expect(runs).toBe(0);
  });
});

describe("a worker that has lost its job", () => {
  it("cannot reserve an effect, so none begins", async () => {
    const refusals: unknown[] = [];
    let runs = 0;
    const id = await submit("fenced", async (effect) => {
      const jobId = await redis.get(queueKey(prefix, "default", `de:${dedupKeyOf("acting", "fenced")}`));
      const lock = queueKey(prefix, "default", `${jobId}:lock`);
      // As if another worker had claimed the job while this one was paused.
      await redis.set(lock, "another worker's token", "PX", 300);
      const value = await effect("act", async () => ++runs).catch((error) => {
        refusals.push(error.code);
        throw error;
      });
      return value ?? 0;
    });
    await vi.waitFor(() => expect(refusals).toContain("LOCK_LOST"));
    expect(runs).toBe(0);
    expect(await redis.exists(ledgerOf("fenced"))).toBe(0);
    await (await operator()).cancel(id);
  });
});

describe("an attempt whose slot has its job again, with the same token", () => {
  it("cannot reserve an effect, so none begins", async () => {
    const refusals: unknown[] = [];
    let runs = 0;
    const id = await submit("same-token", async (effect) => {
      const jobId = await redis.get(queueKey(prefix, "default", `de:${dedupKeyOf("acting", "same-token")}`));
      // As a claim counts it. The lock stays.
      if (refusals.length === 0) await redis.hincrby(queueKey(prefix, "default", String(jobId)), "ats", 1);
      const value = await effect("act", async () => ++runs).catch((error) => {
        refusals.push(error.code);
        throw error;
      });
      return value ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 1 } });
    expect(refusals).toEqual(["LOCK_LOST"]);
  });
});

describe("a fence", () => {
  it("grows with each run, although Redis's clock was set back since the one before", async () => {
    const later = Date.now() + 3_600_000;
    await redis.hset(ledgerOf("set-back"), "open", 0, "fence", later);
    const fences: number[] = [];
    const id = await submit("set-back", async (effect, attempt) => {
      if (attempt === 2) {
        const entry = JSON.parse((await redis.hget(ledgerOf("set-back"), "e:repeated")) ?? "{}");
        const other = JSON.stringify({ ...entry, fence: String(later + 100) });
        await redis.hset(ledgerOf("set-back"), "e:repeated", other);
      }
      const run = async ({ fence }: { fence: number }) => {
        fences.push(fence);
        if (attempt === 1) throw unanswered();
        return 1;
      };
      return (await effect("repeated", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed" });
    expect(fences).toEqual([later + 1, later + 101]);
  });
});

describe("a completion", () => {
  it("proves nothing of an effect that an earlier attempt has left reserved", async () => {
    const id = await submit("proves", async (effect) => (await effect("act", async () => 1)) ?? 0);
    await ended(id);
    const dedupKey = dedupKeyOf("acting", "proves");
    const left = { state: "reserved", at: 1, deadline: 1, reservationId: "other", fence: "1" };
    const entry = JSON.stringify({ ...left, job: id, delivery: 0, worker: "gone" });
    await redis.hset(ledgerOf("proves"), "e:other", entry, "open", 1);
    await redis.rpush(queueKeys(prefix, "default").newLedgers, `1/${id}/${dedupKey}`);
    const stateOf = async (effect: string) =>
      JSON.parse((await redis.hget(ledgerOf("proves"), `e:${effect}`)) ?? "{}").state;
    await vi.waitFor(async () => expect(await stateOf("other")).not.toBe("reserved"), 10_000);
    expect(await stateOf("other")).toBe("in-doubt");
    expect(await stateOf("act")).toBe("done");
  });
});

describe("a worker that reports too late", () => {
  /** As if the deadline had passed while the effect ran, and another worker had noticed. */
  async function declareInDoubt(key: string): Promise<void> {
    const entry = JSON.parse((await redis.hget(ledgerOf(key), "e:act")) ?? "{}");
    await redis.hset(
      ledgerOf(key),
      "e:act",
      JSON.stringify({ ...entry, state: "in-doubt", reason: "not heard of" }),
    );
    await redis.zadd(queueKeys(prefix, "default").doubts, entry.at, `${dedupKeyOf("acting", key)}/act`);
  }

  async function reportOf(id: string) {
    return (await (await operator()).doubts(0, 1_000)).find(({ jobId }) => jobId === id)?.report;
  }

  it("does not resolve the doubt with its commit, but its report and result are kept for an operator", async () => {
    const id = await submit("late-commit", async (effect) => {
      const run = async () => {
        await declareInDoubt("late-commit");
        return 11;
      };
      return (await effect("act", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ state: "in-doubt" }],
    });
    expect(await reportOf(id)).toBe("done");
    const { resolve, resolveMany } = await operator();
    const notDone = { as: "not-done", evidence: "looked before it acted", by: "test" } as const;
    await expect(resolve(id, "act", notDone)).rejects.toMatchObject({ code: "RUN_SAID_DONE" });
    const ids = [{ jobId: id, effect: "act" }];
    expect(await resolveMany({ ...notDone, ids })).toMatchObject({
      resolved: 0,
      skipped: [{ jobId: id, effect: "act", code: "RUN_SAID_DONE" }],
    });
    await resolve(id, "act", { as: "done", evidence: "its own report", by: "test" });
    await vi.waitFor(async () =>
      expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 11 } }),
    );
  });

  it("stores its result where others have found out without it that the effect is done", async () => {
    const id = await submit("late-result", async (effect) => {
      const run = async () => {
        const { reservationId, at } = JSON.parse(
          (await redis.hget(ledgerOf("late-result"), "e:act")) ?? "{}",
        );
        const entry = JSON.stringify({ state: "done", reservationId, at });
        await redis.hset(ledgerOf("late-result"), "e:act", entry, "open", 0);
        return 12;
      };
      return (await effect("act", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "completed", result: { value: 12 } });
    expect(await redis.hget(ledgerOf("late-result"), "r:act")).toBe("12");
  });

  it("does not resolve the doubt with its release, either", async () => {
    const id = await submit("late-release", async (effect) => {
      const run = async () => {
        await declareInDoubt("late-release");
        throw new NotDoneError("refused downstream");
      };
      return (await effect<number>("act", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({ state: "failed", effects: [{ state: "in-doubt" }] });
    expect(await reportOf(id)).toBe("not-done");
  });

  it("cannot commit what another attempt has reserved since", async () => {
    const id = await submit("reclaimed", async (effect) => {
      const run = async () => {
        const entry = JSON.parse((await redis.hget(ledgerOf("reclaimed"), "e:act")) ?? "{}");
        await redis.hset(
          ledgerOf("reclaimed"),
          "e:act",
          JSON.stringify({ ...entry, reservationId: "somebody else" }),
        );
        return 1;
      };
      return (await effect("act", run)) ?? 0;
    });
    expect(await ended(id)).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ state: "in-doubt" }],
    });
  });
});

describe("a handler that asks for an effect without its function", () => {
  it("fails permanently, and leaves no doubt", async () => {
    const id = await submit("no-function", async (effect) => (await effect("act", undefined as never)) ?? 0);
    expect(await ended(id)).toMatchObject({ error: { code: "PERMANENT_FAILURE" }, effects: [] });
  });
});

describe("a handler that asks for an effect its contract does not declare", () => {
  it("fails permanently", async () => {
    const id = await submit("undeclared", async (effect) => {
      await effect("toString" as "act", async () => 1);
      return 0;
    });
    expect(await ended(id)).toMatchObject({
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE" },
      effects: [],
    });
  });
});
