import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { createEvents } from "../../core/events.ts";
import { defineJob } from "../../features/define.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { defineSchedule, type Schedule } from "./define-schedule.ts";
import { runSchedule } from "./run-schedule.ts";

const job = defineJob({
  type: "ticked",
  payload: z.strictObject({ at: z.string() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
const MINUTE = 60_000;
const startedAt = Date.parse("2026-06-01T12:00:30Z");

/** Only schedules with an overlap policy ask. */
const unused = () => Promise.reject(new Error("unexpected"));

/** A scheduler whose clock and Redis the test controls. */
function start(schedule: Schedule, state: { now: number; isRedisAway?: boolean }) {
  const stop = new AbortController();
  const keys: string[] = [];
  const submit = async (input: unknown) => {
    if (state.isRedisAway) throw new HoldfastError("STORE_UNAVAILABLE", "away");
    const { idempotencyKey } = input as { idempotencyKey: string };
    const duplicate = keys.includes(idempotencyKey);
    if (!duplicate) keys.push(idempotencyKey);
    return { id: "id", type: "ticked", idempotencyKey, duplicate };
  };
  const running = runSchedule(schedule, {
    submitter: { submitOwn: submit },
    clock: { now: () => state.now },
    missedTicks: { of: async () => [] },
    pauses: { of: async () => [] },
    overlaps: { decide: unused, advance: unused, noteJob: unused, drop: unused },
    events: createEvents(),
    stopping: stop.signal,
  });
  return {
    ticks: () => keys.map((key) => key.replace("schedule:minutely:", "").slice(11, 19)),
    /** Time passes on a machine that is awake. */
    async live(ms: number) {
      for (let left = ms; left > 0; left -= 250) {
        state.now += 250;
        await vi.advanceTimersByTimeAsync(250);
      }
    },
    /** Time passes on a machine that sleeps, or whose clock is set. */
    async jump(ms: number) {
      state.now += ms;
      await vi.advanceTimersByTimeAsync(2_000);
    },
    async stop() {
      stop.abort();
      await vi.runAllTimersAsync();
      await running;
    },
  };
}

function minutely(catchUp: { mode: "none" | "latest" | "all"; max?: number; windowMs?: number }): Schedule {
  const payload = ({ at }: { at: Date }) => ({ at: at.toISOString() });
  return defineSchedule({ name: "minutely", everyMs: MINUTE, job, payload, catchUp });
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a scheduler that runs", () => {
  it("submits each tick once, when it is due", async () => {
    const scheduler = start(minutely({ mode: "none" }), { now: startedAt });
    await scheduler.live(3 * MINUTE);
    await scheduler.stop();
    expect(scheduler.ticks()).toEqual(["12:01:00", "12:02:00", "12:03:00"]);
  });

  it("submits no tick twice when its clock is set back an hour", async () => {
    const scheduler = start(minutely({ mode: "none" }), { now: startedAt });
    await scheduler.live(2 * MINUTE);
    await scheduler.jump(-60 * MINUTE);
    await scheduler.live(62 * MINUTE);
    await scheduler.stop();
    expect(scheduler.ticks()).toEqual(["12:01:00", "12:02:00", "12:03:00", "12:04:00"]);
  });

  it("keeps a tick that Redis did not accept until the next one is due", async () => {
    const state = { now: startedAt, isRedisAway: true };
    const scheduler = start(minutely({ mode: "none" }), state);
    await scheduler.live(70_000);
    state.isRedisAway = false;
    await scheduler.live(5_000);
    state.isRedisAway = true;
    await scheduler.live(3 * MINUTE);
    state.isRedisAway = false;
    await scheduler.live(5_000);
    await scheduler.stop();
    expect(scheduler.ticks()).toEqual(["12:01:00", "12:04:00"]);
  });
});

describe.each([
  { catchUp: { mode: "none" as const }, ran: [] },
  { catchUp: { mode: "latest" as const }, ran: ["12:10:00"] },
  {
    catchUp: { mode: "all" as const, max: 5 },
    ran: ["12:06:00", "12:07:00", "12:08:00", "12:09:00", "12:10:00"],
  },
  { catchUp: { mode: "all" as const, windowMs: 150_000 }, ran: ["12:09:00", "12:10:00"] },
])("with catch-up $catchUp", ({ catchUp, ran }) => {
  it("a scheduler whose machine slept for ten minutes runs only what its policy wants", async () => {
    const scheduler = start(minutely(catchUp), { now: startedAt });
    await scheduler.live(1_000);
    const before = scheduler.ticks().length;
    await scheduler.jump(10 * MINUTE);
    await scheduler.stop();
    expect(scheduler.ticks().slice(before)).toEqual(ran);
  });

  it("a scheduler that starts after ten minutes without one runs only what its policy wants", async () => {
    const since = Date.parse("2026-06-01T12:00:00Z");
    const scheduler = start(minutely({ windowMs: 10 * MINUTE, ...catchUp }), {
      now: startedAt + 10 * MINUTE,
    });
    await scheduler.live(1_000);
    await scheduler.stop();
    expect(scheduler.ticks().filter((tick) => Date.parse(`2026-06-01T${tick}Z`) > since)).toEqual(ran);
  });
});
