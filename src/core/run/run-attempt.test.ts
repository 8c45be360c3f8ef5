import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineJob } from "../../features/define.ts";
import { logAttempts } from "../../features/logs/in-worker.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import { Lease } from "../bullmq/claim/lease.ts";
import { openEffects } from "../effect/effects.ts";
import type { EffectLedger } from "../effect/ledger/ledger.ts";
import { createEvents } from "../events.ts";
import { givenSubmit } from "./next-jobs.ts";
import { runAttempt } from "./run-attempt.ts";

const job = defineJob({
  type: "secretive",
  payload: z.strictObject({ token: z.string() }),
  result: z.null(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
  redact: { payload: ["/token"] },
});

const claimed: ClaimedJob = {
  id: "default_1",
  type: job.type,
  envelope: { key: "k", payload: { token: "hunter2-and-more" } },
  attemptsMade: 0,
  maxAttempts: 1,
  startedAt: 0,
  crashes: 0,
  readyAt: undefined,
  delivery: 1,
  startBy: undefined,
  submittedAt: 0,
  hasBegun: async () => false,
  countSnooze: async () => 1,
  lease: new Lease(10_000),
  lockToken: "token",
  progress: async () => undefined,
  keepLog: async () => {},
};

const away = () => new HoldfastError("STORE_UNAVAILABLE", "away", { retryAfterMs: 1_000 });

describe("the process's log of a job with secrets", () => {
  it("has none of them: not in a line's text, not in its fields, not in its failure", async () => {
    const lines: string[] = [];
    const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
    const events = createEvents();
    logAttempts(events, log);
    const handler = job.handler(async ({ payload: { token }, log }) => {
      for (const level of ["debug", "info", "warn", "error"] as const)
        log[level](`with ${token}`, { deep: { token } });
      throw new Error(`refused ${token}`);
    });

    const outcome = await runAttempt(
      {
        handlers: new Map([[job.type, handler]]),
        log,
        events,
        now: Date.now,
        parts: [],
        openEffects: (_job, { effects }) =>
          openEffects(effects, () => {
            throw new Error("the job has no effects");
          }),
      },
      claimed,
    );

    expect(lines).toHaveLength(5);
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines[1]).toContain('"deep":{"token":"[redacted]"},"msg":"with [redacted]"');
    expect(outcome).toMatchObject({ failure: { message: "refused [redacted]" } });
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
  });
});

describe("a handler that submits a job", () => {
  const next = { type: "next", payload: z.null() };
  const receipt = { id: "default_2", type: "next", idempotencyKey: "k", duplicate: false };

  /** Runs a handler that submits; `answers` are Redis's, the last one for ever. */
  async function submitting(lease: Lease, answers: readonly (() => Promise<typeof receipt>)[]) {
    let asked = 0;
    const answer = async () => {
      asked += 1;
      return (await answers[asked - 1]?.()) ?? receipt;
    };
    const handler = job.handler(async ({ submit }) => {
      expect(await submit(next, null)).toEqual(receipt);
      return null;
    });
    const outcome = await runAttempt(
      {
        handlers: new Map([[job.type, handler]]),
        log: pino({ level: "silent" }),
        events: createEvents(),
        now: Date.now,
        parts: [{ given: givenSubmit(() => answer) }],
        openEffects: () => openEffects({}, () => Promise.reject(new Error("no effects")) as never),
      },
      { ...claimed, lease },
    );
    return { outcome, asked };
  }
  const refuse = (code: "STORE_FULL" | "STORE_ROLLED_BACK" | "STORE_UNAVAILABLE") => () =>
    Promise.reject(new HoldfastError(code, "no", { retryAfterMs: 1 }));

  it("waits until Redis answers, with the same key", async () => {
    const answers = [refuse("STORE_UNAVAILABLE"), refuse("STORE_FULL"), async () => receipt];
    expect(await submitting(new Lease(10_000), answers)).toMatchObject({
      outcome: { kind: "completed" },
      asked: 3,
    });
  });

  it("stops waiting when the attempt is aborted", async () => {
    const lease = new Lease(10_000);
    const stopping = () => {
      lease.abort(new HoldfastError("WORKER_STOPPING", "stopping"));
      return refuse("STORE_UNAVAILABLE")();
    };
    expect(await submitting(lease, [stopping])).toEqual({ outcome: { kind: "released" }, asked: 1 });
  });

  it("submits nothing once its lease is over, even if nobody has noticed", async () => {
    const lease = new Lease(0);
    expect(await submitting(lease, [])).toMatchObject({
      outcome: { failure: { code: "LOCK_LOST" } },
      asked: 0,
    });
  });

  it("defers its job, without using up an attempt, where Redis has lost data", async () => {
    expect(await submitting(new Lease(10_000), [refuse("STORE_ROLLED_BACK")])).toMatchObject({
      outcome: { kind: "deferred", code: "STORE_ROLLED_BACK" },
      asked: 1,
    });
  });
});

describe("an attempt while Redis does not answer", () => {
  const acting = defineJob({
    type: "acting",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 1_000,
    effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
  });
  const log = pino({ level: "silent" });

  /** Runs the attempt of a job whose effects cannot be reserved and whose progress cannot be stored. */
  function run(attempt: Parameters<typeof acting.handler>[0]) {
    const ledger = {
      dedupKey: "k",
      reserve: async () => {
        throw away();
      },
    } as unknown as EffectLedger;
    const unstorable: ClaimedJob = { ...claimed, type: acting.type, progress: async () => "away" };
    return runAttempt(
      {
        handlers: new Map([[acting.type, acting.handler(attempt)]]),
        log,
        events: createEvents(),
        now: Date.now,
        parts: [],
        openEffects: (job, { effects }, given) =>
          openEffects(effects, () => ({ job, ledger, events: createEvents(), ...given })),
      },
      unstorable,
    );
  }

  it("is deferred if an effect could not be reserved, even if the handler swallows that", async () => {
    const deferred = { kind: "deferred", delayMs: 1_000, code: "STORE_UNAVAILABLE" };
    expect(await run(({ effect }) => effect("act", async () => null))).toEqual(deferred);
    expect(await run(({ effect }) => effect("act", async () => null).catch(() => null))).toEqual(deferred);
  });

  it("fails if its handler throws the same code for reasons of its own", async () => {
    const failed = {
      kind: "failed",
      failure: { code: "HANDLER_FAILED", message: "STORE_UNAVAILABLE: away" },
    };
    expect(
      await run(async () => {
        throw away();
      }),
    ).toMatchObject(failed);
  });

  it("goes on if its progress cannot be stored", async () => {
    expect(
      await run(async ({ progress }) => {
        await progress(50);
        return "done";
      }),
    ).toEqual({ kind: "completed", result: "done" });
  });
});

describe("an attempt that fails while an earlier one has left an effect in doubt", () => {
  const acting = defineJob({
    type: "acting",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 1_000,
    effects: { act: { timeoutMs: 1_000, inDoubt: "probe" } },
  });
  const later: ClaimedJob = { ...claimed, type: acting.type, maxAttempts: 2, delivery: 2 };

  async function fail(thrown: unknown, job: Partial<ClaimedJob>, unanswered = 0) {
    let looks = 0;
    const leftOpen = async () => {
      looks += 1;
      if (looks <= unanswered) throw away();
      return { kind: "in-doubt", effect: "act" };
    };
    const ledger = { dedupKey: "k", leftOpen } as unknown as EffectLedger;
    const outcome = await runAttempt(
      {
        handlers: new Map([[acting.type, acting.handler(() => Promise.reject(thrown))]]),
        log: pino({ level: "silent" }),
        events: createEvents(),
        now: Date.now,
        parts: [],
        openEffects: (job, { effects }, given) =>
          openEffects(effects, () => ({ job, ledger, events: createEvents(), ...given }), job.delivery),
      },
      { ...later, ...job },
    );
    return { looks, outcome };
  }
  const down = new Error("database down");
  const failed = (code: string) => ({ kind: "failed", failure: { code } });

  it("is in doubt if it was the last, and keeps its own failure", async () => {
    const { looks, outcome } = await fail(down, { attemptsMade: 1 });

    expect({ looks, outcome }).toMatchObject({ looks: 1, outcome: failed("EFFECT_IN_DOUBT") });
    expect(outcome).toMatchObject({
      failure: { message: expect.stringMatching(/"act".+HANDLER_FAILED: database down/), retryable: false },
      trace: expect.stringContaining("caused by: Error: database down"),
    });
  });

  it("is in doubt also where Redis did not answer the first look", async () => {
    expect(await fail(down, { attemptsMade: 1 }, 1)).toMatchObject({
      looks: 2,
      outcome: failed("EFFECT_IN_DOUBT"),
    });
  });

  it("is in doubt if the job was started too often, so that its handler was not called", async () => {
    expect(await fail(down, { attemptsMade: 1, crashes: 50 })).toMatchObject({
      looks: 1,
      outcome: { failure: { code: "EFFECT_IN_DOUBT", message: expect.stringContaining("STARTS_EXHAUSTED") } },
    });
  });

  it("does not look where another attempt follows, or nothing can have been left open", async () => {
    const unchanged = { looks: 0, outcome: failed("HANDLER_FAILED") };
    expect(await fail(down, { attemptsMade: 0 })).toMatchObject(unchanged);
    expect(await fail(down, { attemptsMade: 1, delivery: 1 })).toMatchObject(unchanged);
  });

  it("does not look where it is cancelled, or released", async () => {
    const cancelled = new Lease(10_000);
    cancelled.abort(new HoldfastError("CANCELLED", "cancelled"));
    expect(await fail(down, { attemptsMade: 1, lease: cancelled })).toMatchObject({
      looks: 0,
      outcome: failed("CANCELLED"),
    });
    const stopping = new Lease(10_000);
    stopping.abort(new HoldfastError("WORKER_STOPPING", "stopping"));
    expect(await fail(down, { attemptsMade: 1, lease: stopping })).toMatchObject({
      looks: 0,
      outcome: { kind: "released" },
    });
  });
});
