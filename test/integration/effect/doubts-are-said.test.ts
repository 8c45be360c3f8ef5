import { type Attempt, defineJob, PermanentError, SnoozeError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = defineJob({
  type: "acting",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
  effects: {
    probed: { timeoutMs: 20_000, inDoubt: "probe" },
    repeated: { timeoutMs: 20_000, inDoubt: "repeat", downstreamRemembersMs: 60_000 },
  },
});
type Given = Attempt<null, "repeated", "probed">;

const unanswered = () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
const probe = async () => "unknown" as const;
const down = () => new Error("database down");

/** How the last attempt ends, and what the job then says beside the doubt. */
const ends: Readonly<Record<string, readonly [end: (given: Given) => Promise<unknown>, said: string]>> = {
  "an error": [() => Promise.reject(down()), "HANDLER_FAILED: database down"],
  "a permanent error": [
    () => Promise.reject(new PermanentError("no such customer")),
    "PERMANENT_FAILURE: no such customer",
  ],
  "its time-out": [
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
    "ATTEMPT_TIMED_OUT: ",
  ],
};

/** Each job's key is the policy of its effect; `end` decides how its second attempt ends. */
async function start(run: (given: Given) => Promise<unknown>) {
  const service = createService(applicationOf(job.handler(run)), { HOLDFAST_LOCK_MS: "2000" });
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  await service.startWorker();
  const submit = async (key: string) => (await producer.submit(job, null, { idempotencyKey: key })).id;
  const ended = (id: string) => untilState(producer, id, "completed", "failed");
  const doubts = async () =>
    (await get(`${url}/doubts?limit=200`)).body.doubts as { readonly jobId: string }[];
  const listed = async () => (await doubts()).map(({ jobId }) => jobId);
  return { url, service, submit, ended, listed };
}

const inDoubt = (said: string) => ({
  state: "failed",
  error: { code: "EFFECT_IN_DOUBT", message: expect.stringContaining(said), retryable: false },
});

describe("a job that fails for good while one of its effects is in doubt", () => {
  it.each(Object.keys(ends))("is in doubt, is listed and goes on once resolved: %s", async (name) => {
    const [end, said] = ends[name] ?? [];
    let isResolved = false;
    const { url, submit, ended, listed } = await start(async (given) => {
      const { effect, attempt, idempotencyKey } = given;
      if (attempt > 1 && !isResolved) return await end?.(given);
      if (idempotencyKey === "repeated") return await effect("repeated", unanswered);
      return await effect("probed", unanswered, { probe });
    });
    const ids = await Promise.all(["probed", "repeated"].map(submit));

    for (const id of ids) expect(await ended(id)).toMatchObject({ attemptsMade: 2, ...inDoubt(said ?? "") });

    expect((await listed()).sort()).toEqual([...ids].sort());
    const dryRun = { act: "retry", all: true, dryRun: true };
    expect((await post(`${url}/jobs/acts`, dryRun)).body).toMatchObject({ count: 0, leftAlone: 2 });
    const deletion = { ...dryRun, act: "delete" };
    expect((await post(`${url}/jobs/acts`, deletion)).body).toMatchObject({ count: 0, leftAlone: 2 });
    isResolved = true;
    for (const [at, effect] of ["probed", "repeated"].entries()) {
      const path = `${url}/jobs/${ids[at]}/effects/${effect}/resolve`;
      const { body } = await post(path, { as: "done", result: at, evidence: "looked" });
      expect(body).toMatchObject({ job: "retried" });
      await until("it completes", async () => (await ended(ids[at] ?? "")).state === "completed");
    }
  });

  it("is in doubt even if its handler swallowed that, with the code of the effect before any other", async () => {
    const { submit, ended, listed } = await start(async ({ effect }) => {
      await effect("repeated", unanswered).catch(() => {});
      throw new PermanentError("no such customer");
    });
    const id = await submit("k");

    expect(await ended(id)).toMatchObject({ attemptsMade: 1, ...inDoubt("no such customer") });
    expect(await listed()).toEqual([id]);
  });

  it("is in doubt when it was snoozed too often", async () => {
    const { submit, ended } = await start(async ({ effect }) => {
      await effect("repeated", unanswered).catch(() => {});
      throw new SnoozeError(40 * 24 * 60 * 60_000);
    });

    expect(await ended(await submit("k"))).toMatchObject(inDoubt("SNOOZES_EXHAUSTED: "));
  });

  it("waits for an effect that may still be under way elsewhere, without using up an attempt", async () => {
    const { service, submit, ended, listed } = await start(async ({ jobId, attempt, idempotencyKey }) => {
      if (attempt === 1) {
        const now = Date.now();
        const other = {
          state: "reserved",
          reservationId: "gone",
          deadline: now + 700,
          firstAt: now,
          at: now,
        };
        const entry = JSON.stringify({ ...other, job: jobId, delivery: 0, worker: "w" });
        const { ledger } = queueKeys(service.env.HOLDFAST_PREFIX, "default");
        await service
          .connect()
          .hset(ledger(dedupKeyOf("acting", idempotencyKey)), "e:probed", entry, "open", 1);
      }
      throw down();
    });
    const id = await submit("k");

    expect(await ended(id)).toMatchObject({ attemptsMade: 2, ...inDoubt("database down") });
    expect(await listed()).toEqual([id]);
  });
});

describe("a cancelled job", () => {
  it("stays cancelled, though one of its effects is in doubt", async () => {
    const begun = latch();
    const { url, submit, ended, listed } = await start(async ({ effect, attempt, signal }) => {
      if (attempt === 1) await effect("repeated", unanswered);
      begun.open();
      await new Promise((_, reject) => signal.addEventListener("abort", reject));
    });
    const id = await submit("k");
    await begun.opened;

    await post(`${url}/jobs/${id}/cancel`, {});

    expect(await ended(id)).toMatchObject({ state: "failed", error: { code: "CANCELLED" } });
    expect(await listed()).toEqual([id]);
  });
});

describe("a job that fails for good with nothing in doubt", () => {
  it("says why it failed", async () => {
    const { submit, ended } = await start(async ({ effect, attempt }) => {
      await effect("repeated", attempt === 1 ? unanswered : async () => 1);
      throw down();
    });

    expect(await ended(await submit("k"))).toMatchObject({
      state: "failed",
      attemptsMade: 2,
      error: { code: "HANDLER_FAILED", message: "database down" },
    });
  });
});

describe("why an effect is in doubt", () => {
  it("is said in few words, however long the error is: lists have hundreds of doubts", async () => {
    const fails = () => Promise.reject(new Error(`answered: ${"<p>no</p>\n".repeat(100_000)}`));
    const { url, submit, ended } = await start(({ effect }) => effect("probed", fails, { probe }));

    const id = await submit("long");
    await ended(id);

    const { body } = await get(`${url}/doubts`);
    expect(body.doubts).toMatchObject([{ jobId: id, reason: expect.stringMatching(/^answered: <p>no/) }]);
    expect(JSON.stringify(body).length).toBeLessThan(3_000);
    const detail = (await get(`${url}/jobs/${id}`)).body;
    expect(JSON.stringify(detail).length).toBeLessThan(20_000);
  });
});
