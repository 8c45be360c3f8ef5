import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import {
  createGuard,
  defineEffect,
  type EffectBusyError,
  type EffectCall,
  type Guard,
  HoldfastError,
  InDoubtError,
  NotDoneError,
  SnoozeError,
} from "holdfast/guard";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { z } from "zod";
import { latch } from "../../support/latch.ts";
import { until } from "../../support/until.ts";

const prefix = `guard-${process.pid}`;
const env = { REDIS_URL: inject("redisUrl"), HOLDFAST_PREFIX: prefix };

const result = z.object({ id: z.string() });
const charge = defineEffect({ name: "charge", timeoutMs: 5_000, inDoubt: "hold", result });
const brief = defineEffect({ name: "brief", timeoutMs: 100, inDoubt: "hold" });
const probed = defineEffect({ name: "probed", timeoutMs: 5_000, inDoubt: "probe", result });
const repeated = defineEffect({
  name: "repeated",
  timeoutMs: 5_000,
  inDoubt: "repeat",
  downstreamRemembersMs: 60_000,
});
const forgotten = defineEffect({ name: "forgotten", timeoutMs: 5_000, inDoubt: "hold", rememberMs: 1_000 });
const optional = defineEffect({
  name: "optional",
  timeoutMs: 5_000,
  inDoubt: "hold",
  result: result.nullable(),
});
const vouched = defineEffect({
  name: "vouched",
  timeoutMs: 5_000,
  inDoubt: "hold",
  onError: "not-done",
});
const effects = [vouched, optional, charge, brief, probed, repeated, forgotten];

let first: Guard;
let second: Guard;
const redis = new Redis(env.REDIS_URL);

beforeAll(async () => {
  [first, second] = await Promise.all([createGuard({ effects, env }), createGuard({ effects, env })]);
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  redis.disconnect();
});

let keys = 0;
const newKey = () => `key-${++keys}`;
const fail = async () => Promise.reject(new Error("socket hang up"));
const acts = () => vi.fn(async ({ key }: EffectCall) => ({ id: key }));

async function ledgerInDoubt(effect: string): Promise<string> {
  for (const ledger of await redis.keys(`${prefix}:*:ledger:*`))
    if ((await redis.hget(ledger, `e:${effect}`))?.includes('"in-doubt"') === true) return ledger;
  throw new Error("None is in doubt");
}

/** Runs until it is told to end. */
function held() {
  const [begun, ended] = [latch(), latch()];
  const run = async () => {
    begun.open();
    await ended.opened;
    return { id: "held" };
  };
  return { run, begun: begun.opened, end: ended.open };
}

describe("a guarded effect", () => {
  it("runs for the first call, and every later one gets its result, in any process", async () => {
    const key = newKey();
    const run = acts();
    const done = await first.once(charge, { key, content: { cents: 5 } }, run);

    expect(done).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/) });
    expect(await second.once(charge, { key, content: { cents: 5 } }, run)).toEqual(done);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("is done for calls that come together, with its own content and its own schema alone", async () => {
    const [key, unfit] = [newKey(), newKey()];
    const done = await first.once(charge, { key, content: 1 }, acts());
    const never = vi.fn();
    for (let call = 0; call < 3; call += 1)
      expect(await second.once(charge, { key, content: 1 }, never)).toEqual(done);
    const other = second.once(charge, { key, content: 2 }, never);
    await expect(other).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });

    await first.once(charge, { key: unfit }, async () => ({}) as { id: string }).catch(() => {});
    for (let call = 0; call < 3; call += 1)
      await expect(second.once(charge, { key: unfit }, never)).rejects.toMatchObject({
        code: "RESULT_INVALID",
      });
    expect(never).not.toHaveBeenCalled();
  });

  it("keeps of its result what the schema makes of it", async () => {
    const key = newKey();
    const secret = `secret-${key}`;
    const run = async () => ({ id: "1", secret });

    expect(await first.once(charge, { key }, run)).toEqual({ id: "1" });
    const stored = await Promise.all(
      (await redis.keys(`${prefix}:*ledger:*`)).map((name) => redis.hgetall(name)),
    );
    expect(JSON.stringify(stored)).not.toContain(secret);
  });

  it("throws what its function throws, whatever its code, where that says that nothing happened", async () => {
    const key = newKey();
    const refused = new HoldfastError("STORE_FULL", "another store has no room");
    const full = first.once(vouched, { key }, async () => Promise.reject(refused));

    await expect(full).rejects.toBe(refused);
    expect(await second.once(vouched, { key }, acts())).toMatchObject({ id: expect.any(String) });
  });

  it("is busy while another call runs it, and says until when", async () => {
    const key = newKey();
    const other = held();
    const running = first.once(charge, { key }, other.run);
    await other.begun;

    const error = await second.once(charge, { key }, acts()).catch((thrown: EffectBusyError) => thrown);
    expect(error).toMatchObject({ name: "EffectBusyError", code: "EFFECT_BUSY" });
    expect((error as EffectBusyError).retryAfterMs).toBeGreaterThan(0);
    expect((error as EffectBusyError).retryAfterMs).toBeLessThanOrEqual(6_000);
    other.end();
    expect(await running).toEqual({ id: "held" });
  });

  it("has its result for a call that waited for another one", async () => {
    const key = newKey();
    const other = held();
    const running = first.once(charge, { key }, other.run);
    await other.begun;
    const run = acts();
    const waiting = second.once(charge, { key, waitMs: 10_000 }, run);
    other.end();

    expect(await waiting).toEqual(await running);
    expect(run).not.toHaveBeenCalled();
  });

  it("refuses other content under the same key, while it runs and when it is done", async () => {
    const key = newKey();
    const other = held();
    const running = first.once(charge, { key, content: { cents: 5, to: "ann" } }, other.run);
    await other.begun;
    const refused = { code: "IDEMPOTENCY_KEY_REUSED" };

    await expect(second.once(charge, { key, content: { cents: 6 } }, acts())).rejects.toMatchObject(refused);
    other.end();
    await running;
    await expect(second.once(charge, { key, content: { cents: 6 } }, acts())).rejects.toMatchObject(refused);
    await expect(second.once(charge, { key }, acts())).rejects.toMatchObject(refused);
    expect(await second.once(charge, { key, content: { to: "ann", cents: 5 } }, acts())).toEqual({
      id: "held",
    });
  });

  it("frees its key, also for other content, when its own word says that it did not happen", async () => {
    const key = newKey();
    const declined = async () => Promise.reject(new NotDoneError("declined"));
    await expect(first.once(charge, { key, content: 1 }, declined)).rejects.toThrow("declined");

    const run = acts();
    await second.once(charge, { key, content: 2 }, run);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("has a fence that grows with each run", async () => {
    const key = newKey();
    const fences: number[] = [];
    for (let run = 0; run < 3; run += 1)
      await first
        .once(charge, { key }, async ({ fence }) => {
          fences.push(fence);
          throw new NotDoneError("not yet");
        })
        .catch(() => {});

    expect(fences).toHaveLength(3);
    expect([...new Set(fences)].sort((a, b) => a - b)).toEqual(fences);
  });

  it("is in doubt after an error that proves nothing, and nobody runs it again", async () => {
    const key = newKey();
    const error = await first.once(charge, { key }, fail).catch((thrown: InDoubtError) => thrown);
    expect(error).toBeInstanceOf(InDoubtError);
    const { doubt } = error as InDoubtError;
    expect(doubt).toMatchObject({
      id: expect.stringMatching(/^holdfast-guard(\.[1-7])?_[\w-]{22}$/),
      effect: "charge",
      effectKey: expect.stringMatching(/^[\w-]{22}$/),
      reason: "socket hang up",
      evidence: [],
    });

    const run = acts();
    const again = await second.once(charge, { key }, run).catch((thrown: InDoubtError) => thrown);
    expect((again as InDoubtError).doubt).toEqual(doubt);
    expect((again as InDoubtError).message).toContain(`holdfast doubts resolve ${doubt?.id} charge`);
    expect(run).not.toHaveBeenCalled();
  });

  it("is in doubt when its time is over, and its signal is aborted", async () => {
    const key = newKey();
    let wasAborted = false;
    const run = async ({ signal }: EffectCall) => {
      await until("it is aborted", () => signal.aborted);
      wasAborted = true;
      return 1;
    };
    await expect(first.once(brief, { key }, run)).rejects.toBeInstanceOf(InDoubtError);
    await until("the run ends", () => wasAborted);
  });

  it("runs again in doubt where downstream recognises the key", async () => {
    const key = newKey();
    await expect(first.once(repeated, { key }, fail)).rejects.toThrow("socket hang up");
    expect(await second.once(repeated, { key }, async () => 7)).toBe(7);
  });

  it("is held once downstream may have forgotten the key, counted from its first run", async () => {
    const key = newKey();
    await expect(first.once(repeated, { key }, fail)).rejects.toThrow("socket hang up");
    const ledger = await ledgerInDoubt("repeated");
    const readEntry = async () => JSON.parse((await redis.hget(ledger, "e:repeated")) ?? "null");
    const firstAt = (await readEntry()).firstAt - 30_000;
    await redis.hset(ledger, "e:repeated", JSON.stringify({ ...(await readEntry()), firstAt }));
    await expect(second.once(repeated, { key }, fail)).rejects.toThrow("socket hang up");
    const entry = await readEntry();
    expect(entry.firstAt).toBe(firstAt);

    await redis.hset(ledger, "e:repeated", JSON.stringify({ ...entry, firstAt: firstAt - 31_000 }));

    await expect(second.once(repeated, { key }, async () => 7)).rejects.toBeInstanceOf(InDoubtError);
  });

  it("asks the probe in doubt", async () => {
    const key = newKey();
    const probe = async () => ({ done: { id: "found" } });
    await expect(first.once(probed, { key }, fail, { probe })).rejects.toBeInstanceOf(InDoubtError);
    expect(await second.once(probed, { key }, fail, { probe })).toEqual({ id: "found" });

    const other = newKey();
    await first.once(probed, { key: other }, fail, { probe }).catch(() => {});
    const notDone = async () => "not-done" as const;
    expect(await second.once(probed, { key: other }, acts(), { probe: notDone })).toEqual({
      id: expect.any(String),
    });

    const unfinished = newKey();
    await first.once(probed, { key: unfinished }, fail, { probe }).catch(() => {});
    const later = async () => ({ done: Promise.resolve(null) }) as never;
    await expect(second.once(probed, { key: unfinished }, fail, { probe: later })).rejects.toBeInstanceOf(
      InDoubtError,
    );
  });

  it("passes on when the probe asks to be asked later", async () => {
    const key = newKey();
    const probe = async () => Promise.reject(new SnoozeError(60_000));
    await first.once(probed, { key }, fail, { probe }).catch(() => {});
    await expect(second.once(probed, { key }, fail, { probe })).rejects.toMatchObject({
      retryAfterMs: 60_000,
    });
    const away = async () => Promise.reject(new Error("away"));
    await expect(second.once(probed, { key }, fail, { probe: away })).rejects.toBeInstanceOf(InDoubtError);
  });

  it("is remembered from its end, and then runs again", async () => {
    const key = newKey();
    const run = vi.fn(async () => 1);
    await first.once(forgotten, { key }, run);
    await first.once(forgotten, { key }, run);
    expect(run).toHaveBeenCalledTimes(1);
    await until("it is forgotten", async () => {
      await second.once(forgotten, { key }, run);
      return run.mock.calls.length === 2;
    });
  });

  it("is done, and does not run again, when its result does not fit", async () => {
    const key = newKey();
    const run = vi.fn(async () => ({ id: 5 }) as unknown as { id: string });
    const invalid = { code: "RESULT_INVALID" };
    await expect(first.once(charge, { key }, run)).rejects.toMatchObject({
      ...invalid,
      issues: [{ pointer: "/id" }],
    });
    await expect(second.once(charge, { key }, run)).rejects.toMatchObject(invalid);
    const assumedResult = () => ({ id: "assumed" });
    await expect(second.once(charge, { key }, run, { assumedResult })).rejects.toMatchObject(invalid);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("is in doubt when its function returns what is still to run, though its schema leaves that out", async () => {
    let isOver = false;
    const later = async () => {
      await setImmediate();
      isOver = true;
    };
    function* lazily() {
      yield later();
    }
    const withMethod = (name: string) => ({ [name]: (send: () => void) => send() });
    const iterable = { [Symbol.asyncIterator]: lazily };
    class Receipt {
      readonly sent = later();
    }
    const unfinished: unknown[] = [
      iterable,
      { id: "1", lines: iterable },
      { id: "1", answer: Readable.from(["1"]) },
      { id: "1", answer: new Blob(["1"]).stream() },
      new Receipt(),
      { id: "1", receipts: [new Receipt()] },
      ["1"].map(() => later),
      [later()],
      { id: "1", sent: later() },
      { id: "1", a: [{ b: new Map([["c", later()]]) }] },
      { id: "1", query: withMethod("then") },
      lazily(),
      { id: "1", steps: lazily() },
      () => later(),
    ];
    for (const value of unfinished) {
      const run = vi.fn(async () => value as { id: string });
      for (const [guard, effect] of [
        [first, charge],
        [second, repeated],
      ] as const) {
        const key = newKey();
        await expect(guard.once(effect, { key }, run)).rejects.toBeInstanceOf(InDoubtError);
      }
      expect(run).toHaveBeenCalledTimes(2);
    }
    expect(isOver).toBe(true);
    const ended = { id: "1", next: "page 2", steps: [1, [2]], tags: ["a"] };
    expect(await first.once(repeated, { key: newKey() }, async () => ended)).toEqual(ended);
  });

  it("is in doubt where its classifier fails later, which ends no process", async () => {
    const unhandled = vi.fn();
    process.prependListener("unhandledRejection", unhandled);
    const classify = (async () => Promise.reject(new Error("bug"))) as never;
    const failing = () => Promise.reject(new Error("reset"));
    await expect(first.once(charge, { key: newKey() }, failing, { classify })).rejects.toBeInstanceOf(
      InDoubtError,
    );
    await setImmediate();
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("returns what JSON has kept, in every call the same, without a schema too", async () => {
    const kept: [unknown, unknown][] = [
      [new Date(0), "1970-01-01T00:00:00.000Z"],
      [{ a: undefined, b: -0 }, { b: 0 }],
      [undefined, null],
    ];
    for (const [value, expected] of kept) {
      const key = newKey();
      for (const guard of [first, first, second, second])
        expect(await guard.once(repeated, { key }, async () => value)).toEqual(expected);
    }
    for (const value of [new Map([[1, 2]]), 5n, Number.NaN, "x".repeat(17_000)]) {
      const key = newKey();
      for (const guard of [first, first, second, second])
        await expect(guard.once(repeated, { key }, async () => value)).rejects.toMatchObject({
          code: "RESULT_INVALID",
        });
    }
  });

  it("is not taken for one without a result, where its schema accepts none, when its result does not fit", async () => {
    const key = newKey();
    const run = vi.fn(async () => ({ id: 5 }) as unknown as { id: string });
    for (const guard of [first, first, second])
      await expect(guard.once(optional, { key }, run)).rejects.toMatchObject({ code: "RESULT_INVALID" });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("checks what is stored when it is read", async () => {
    const key = newKey();
    await first.once(charge, { key }, acts());
    const stricter = defineEffect({
      name: "charge",
      timeoutMs: 5_000,
      inDoubt: "hold",
      result: z.object({ id: z.string(), cents: z.number() }),
    });
    await using later = await createGuard({ effects: [stricter], env });
    const run = vi.fn(async () => ({ id: "", cents: 1 }));
    await expect(later.once(stricter, { key }, run)).rejects.toMatchObject({
      code: "RESULT_INVALID",
      issues: [{ pointer: "/cents" }],
    });
    expect(run).not.toHaveBeenCalled();
  });

  it("does not begin what its declaration or its call gets wrong", async () => {
    const run = acts();
    const invalid = async (call: object) =>
      await first.once(charge, call as { key: string }, run).catch((error: { code: string }) => error.code);

    expect(await invalid({})).toBe("IDEMPOTENCY_KEY_MISSING");
    expect(await invalid({ key: "" })).toBe("IDEMPOTENCY_KEY_INVALID");
    expect(await invalid({ key: newKey(), waitMs: -1 })).toBe("INVALID_REQUEST");
    expect(await invalid({ key: newKey(), about: "x".repeat(501) })).toBe("INVALID_REQUEST");
    expect(await invalid({ key: newKey(), content: 5n })).toBe("INVALID_REQUEST");
    const unreadable = {
      get cents() {
        throw new Error("closed");
      },
    };
    expect(await invalid({ key: newKey(), content: unreadable })).toBe("INVALID_REQUEST");
    const stray = defineEffect({ name: "stray", timeoutMs: 1, inDoubt: "hold" });
    await expect(first.once(stray, { key: newKey() }, acts())).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    const broken = { name: "Wrong Name", timeoutMs: 0, inDoubt: "hold" } as const;
    await expect(createGuard({ effects: [defineEffect(broken)], env })).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
    });
    expect(run).not.toHaveBeenCalled();
  });

  it("does not begin, and leaves no doubt, where untyped code calls it as it must not", async () => {
    const key = newKey();
    const codeOf = async (...call: unknown[]) =>
      await (first.once as (...call: unknown[]) => Promise<unknown>)(...call).catch(
        (error: { code: string }) => error.code,
      );

    expect(await codeOf(charge, { key })).toBe("INVALID_REQUEST");
    for (const generator of [function* () {}, async function* () {}])
      expect(await codeOf(charge, { key }, generator)).toBe("INVALID_REQUEST");
    expect(await codeOf(charge, { key }, acts(), null)).toBe("INVALID_REQUEST");
    expect(await codeOf(charge, { key }, acts(), { index: "a" })).toBe("INVALID_REQUEST");
    for (const effect of [undefined, null, "charge"])
      expect(await codeOf(effect, { key }, acts())).toBe("INVALID_REQUEST");
    await expect(createGuard({ env } as never)).rejects.toMatchObject({ code: "APPLICATION_INVALID" });
    for (const connection of [null, {}, "redis://localhost"])
      await expect(createGuard({ effects, env, connection } as never)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
      });
    expect(await first.once(charge, { key }, acts())).toEqual({ id: expect.any(String) });
  });

  it("has no index: one that a handler's effect would tell apart is refused, since its key would be the same", async () => {
    const effect = first.effectsOf({ key: newKey() });
    const run = vi.fn(async () => 1);
    await expect(effect("repeated", run, { index: "ann" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(run).not.toHaveBeenCalled();
  });

  it("is refused inside of its own run, through other effects and other guards too, however long it may wait", async () => {
    const refused = { code: "PERMANENT_FAILURE", message: 'Effect "repeated" is called from inside itself' };
    const key = newKey();
    const again = (guard: Guard) => guard.once(repeated, { key, waitMs: 60_000 }, acts());
    const inside = [
      () => again(first),
      () => again(second),
      () => second.once(repeated, { key: newKey() }, () => again(first)),
    ];
    for (const call of inside)
      await expect(first.once(repeated, { key }, call)).rejects.toMatchObject(refused);
    expect(await again(second)).toEqual({ id: expect.any(String) });
  });

  it("does not run again for an error of another effect inside, however long its call may wait", async () => {
    const [outer, inner] = [newKey(), newKey()];
    const other = held();
    const running = second.once(charge, { key: inner }, other.run);
    await other.begun;
    const run = vi.fn(() => first.once(charge, { key: inner }, acts()));
    await expect(first.once(repeated, { key: outer, waitMs: 2_000 }, run)).rejects.toMatchObject({
      code: "EFFECT_BUSY",
      message: 'Another call may still be at effect "charge"',
    });
    expect(run).toHaveBeenCalledTimes(1);
    other.end();
    await running;
  });

  it("begins nothing once its guard stops, but what runs may call another effect", async () => {
    const guard = await createGuard({ effects, env });
    const [begun, goOn, end] = [latch(), latch(), latch()];
    const running = guard.once(charge, { key: newKey() }, async () => {
      begun.open();
      await goOn.opened;
      const inside = await guard.once(charge, { key: newKey() }, acts());
      await end.opened;
      return inside;
    });
    await begun.opened;
    const stopped = guard.stop();
    const late = acts();
    await expect(guard.once(charge, { key: newKey() }, late)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    expect(late).not.toHaveBeenCalled();
    goOn.open();
    end.open();
    expect(await running).toEqual({ id: expect.any(String) });
    await stopped;
  });

  it("waits for no other call once its guard stops, and does not begin after it", async () => {
    const [key, own, acted] = [newKey(), await createGuard({ effects, env }), acts()];
    const other = held();
    const running = first.once(charge, { key }, other.run);
    await other.begun;
    const waiting = own.once(charge, { key, waitMs: 60_000 }, acted);
    const refused = expect(waiting).rejects.toMatchObject({ code: "EFFECT_BUSY" });

    await own.stop();

    await refused;
    other.end();
    expect(await running).toEqual({ id: "held" });
    expect(acted).not.toHaveBeenCalled();
  });

  it("is not mixed up with another effect of the same key", async () => {
    const key = newKey();
    await first.once(charge, { key }, acts());
    const run = vi.fn(async () => 1);
    await first.once(repeated, { key }, run);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("runs once for many calls at the same moment, over all slots", async () => {
    const wanted = Array.from({ length: 50 }, newKey);
    const allBegun = latch();
    const run = vi.fn(async ({ key }: EffectCall) => {
      if (run.mock.calls.length === wanted.length) allBegun.open();
      await allBegun.opened;
      return { id: key };
    });
    const calls = wanted.flatMap((key) =>
      [first, second, first].map((guard) => guard.once(charge, { key, waitMs: 20_000 }, run)),
    );
    await Promise.all(calls);

    expect(run).toHaveBeenCalledTimes(50);
    const names = await redis.keys(`${prefix}:*ledger:*`);
    expect(new Set(names.map((name) => /\{.+\}/.exec(name)?.[0])).size).toBe(8);
  });

  it("takes somebody's own connection for where Redis is", async () => {
    const { REDIS_URL: _, ...others } = env;
    await using guard = await createGuard({ effects: [charge], connection: redis, env: others });
    const key = newKey();
    const done = await guard.once(charge, { key }, acts());
    expect(await first.once(charge, { key }, acts())).toEqual(done);
  });
});
