import { defineConfig, defineJob, defineSchedule, startScheduler } from "holdfast";
import { startApi } from "holdfast/server";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { z } from "zod";
import { openStatusReader } from "../../../src/features/job-status.ts";
import { computeInTurns } from "../../../src/platform/lib/in-turns.ts";
import { openOverlaps } from "../../../src/roles/schedules/overlap.ts";
import { openSchedulePauses } from "../../../src/roles/schedules/pauses.ts";
import { explainTick, type ScheduleReader } from "../../../src/roles/schedules/read-schedule.ts";
import type { ScheduleStatus } from "../../../src/roles/schedules/schedule-status.ts";
import { openTickJobs } from "../../../src/roles/schedules/tick-jobs.ts";
import { tickKey } from "../../../src/roles/schedules/tick-keys.ts";
import { openOwnSubmitter } from "../../support/own-submitter.ts";
import { plainStores } from "../../support/queue-stores.ts";

const DAY = 24 * 60 * 60 * 1000;
const env = {
  REDIS_URL: inject("redisUrl"),
  HOLDFAST_PREFIX: `schedules-${process.pid}`,
  HOLDFAST_LOG_LEVEL: "silent",
  HOLDFAST_PORT: "0",
  HOLDFAST_RETENTION_MS: String(2 * DAY),
};
const job = defineJob({
  type: "ticked",
  payload: z.strictObject({ at: z.iso.datetime() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
const payload = ({ at }: { at: Date }) => ({ at: at.toISOString() });
const everySecond = defineSchedule({ name: "every-second", everyMs: 1_000, job, payload });
const daily = defineSchedule({ name: "daily", cron: "0 9 * * *", timeZone: "Europe/Berlin", job, payload });
const latest = defineSchedule({ name: "latest", everyMs: 60_000, job, payload, catchUp: { mode: "latest" } });
const all = defineSchedule({
  name: "all",
  everyMs: 60_000,
  job,
  payload,
  catchUp: { mode: "all", max: 5, windowMs: 60 * 60_000 },
});
const application = defineConfig({
  jobs: [job],
  handlers: async () => [],
  schedules: [everySecond, daily, latest, all],
});

const redis = new Redis(env.REDIS_URL);
const stores = plainStores(redis, env.HOLDFAST_PREFIX);
const compute = computeInTurns();
const reader: ScheduleReader = {
  stores,
  compute,
  prefix: env.HOLDFAST_PREFIX,
  readStatus: openStatusReader(stores),
  retentionMs: 2 * DAY,
  pauses: openSchedulePauses({ client: redis }, env.HOLDFAST_PREFIX, 2 * DAY),
  overlaps: openOverlaps(stores, env.HOLDFAST_PREFIX, 2 * DAY),
  ticks: openTickJobs(stores, 2 * DAY, compute),
};
const producer = openOwnSubmitter(application, env);
beforeAll(() => producer);
afterAll(async () => {
  await (await producer).stop();
  redis.disconnect();
});

const lastMinute = (minutesAgo: number) => (Math.floor(Date.now() / 60_000) - minutesAgo) * 60_000;

describe("any number of schedulers", () => {
  it("together enqueue each tick once", async () => {
    const schedulers = await Promise.all([1, 2, 3].map(() => startScheduler(application, env)));
    const from = Math.ceil(Date.now() / 1_000) * 1_000;
    const ticks = [from, from + 1_000, from + 2_000];
    await vi.waitFor(
      async () => {
        for (const at of ticks)
          expect(await explainTick(reader, everySecond, at)).toMatchObject({ kind: "enqueued" });
      },
      { timeout: 30_000 },
    );
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    const waiting = await redis.lrange(`${env.HOLDFAST_PREFIX}:{default}:wait`, 0, -1);
    const keys = await Promise.all(
      waiting.map((id) => redis.hget(`${env.HOLDFAST_PREFIX}:{default}:${id}`, "data")),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.filter((data) => ticks.some((at) => data?.includes(tickKey(everySecond, at))))).toHaveLength(
      3,
    );
  });

  it("catch up ticks missed before they started, as each schedule says", async () => {
    expect(await explainTick(reader, latest, lastMinute(3))).toMatchObject({ kind: "skipped" });
    expect(await explainTick(reader, all, lastMinute(3))).toMatchObject({
      kind: "caught-up",
      lateMs: expect.any(Number),
    });
    expect(await explainTick(reader, all, lastMinute(8))).toMatchObject({ kind: "skipped" });
  });
});

describe("the explanation of a tick", () => {
  it("shows that an instant is not a tick, with the ticks around it", async () => {
    expect(await explainTick(reader, daily, Date.parse("2026-03-29T08:00:00Z"))).toEqual({
      kind: "not-a-tick",
      previous: "2026-03-29T07:00:00.000Z",
      next: "2026-03-30T07:00:00.000Z",
    });
  });

  it("shows a tick that is not due yet", async () => {
    const next = daily.timetable.next(Date.now()) ?? 0;
    expect(await explainTick(reader, daily, next)).toMatchObject({ kind: "not-due" });
  });

  it("shows which job a tick was enqueued as, and its outcome", async () => {
    const at = Math.floor(Date.now() / 1_000) * 1_000;
    const submitted = { idempotencyKey: tickKey(everySecond, at) };
    const { id } = await (await producer).submit(job, payload({ at: new Date(at) }), submitted);
    expect(await explainTick(reader, everySecond, at)).toMatchObject({
      kind: "enqueued",
      jobId: id,
      state: "waiting",
    });
    await redis.del(`${env.HOLDFAST_PREFIX}:{default}:${id}`);
    expect(await explainTick(reader, everySecond, at)).toMatchObject({
      kind: "enqueued",
      jobId: id,
      state: null,
    });
  });

  it("shows how late a tick was caught up", async () => {
    const at = lastMinute(30);
    await (await producer).submit(job, payload({ at: new Date(at) }), { idempotencyKey: tickKey(all, at) });
    const explained = await explainTick(reader, all, at);
    expect(explained).toMatchObject({ kind: "caught-up" });
    expect(explained.kind === "caught-up" && explained.lateMs).toBeGreaterThanOrEqual(30 * 60_000);
  });

  it("shows why a tick was skipped, or is still awaited", async () => {
    const secondsAgo = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;
    const enqueue = async (schedule: typeof all, at: number) =>
      await (await producer).submit(job, payload({ at: new Date(at) }), {
        idempotencyKey: tickKey(schedule, at),
      });
    expect(await explainTick(reader, everySecond, secondsAgo)).toMatchObject({ kind: "before-first" });
    expect(await explainTick(reader, all, lastMinute(120))).toMatchObject({ kind: "before-first" });
    await enqueue(everySecond, secondsAgo - 1_000);
    await enqueue(all, lastMinute(121));
    expect(await explainTick(reader, everySecond, secondsAgo)).toMatchObject({
      kind: "skipped",
      why: /catch-up is none/,
    });
    expect(await explainTick(reader, all, lastMinute(120))).toMatchObject({ kind: "skipped", why: /window/ });
    expect(await explainTick(reader, all, lastMinute(20))).toMatchObject({
      kind: "skipped",
      why: /only the latest 5/,
    });
    const awaited = { ...all, name: "never-followed" };
    expect(await explainTick(reader, awaited, lastMinute(1))).toMatchObject({ kind: "awaited" });
  });

  it("admits that it cannot know about ticks older than the key retention", async () => {
    expect(await explainTick(reader, daily, Date.parse("2026-03-29T07:00:00Z"))).toMatchObject({
      kind: "forgotten",
    });
  });
});

describe("GET /schedules", () => {
  it("lists what became of the latest ticks where that is asked for, as the list of one schedule's ticks does", async () => {
    const api = await startApi(application, env);
    const read = async (path: string) =>
      (await (await fetch(`${api.url}/schedules${path}`)).json()) as {
        readonly schedules: readonly ScheduleStatus[];
        readonly ticks: readonly object[];
      };
    const [asked, none, tooMany, { ticks }] = await Promise.all([
      read("?past=4"),
      read(""),
      read("?past=49"),
      read("/daily/ticks?limit=4"),
    ]);
    await api.stop();
    const daily = asked.schedules.find(({ name }) => name === "daily");
    expect(ticks).toHaveLength(4);
    expect(daily).toMatchObject({ past: ticks, last: ticks[0] });
    expect(none.schedules.map(({ past }) => past)).toEqual([[], [], [], []]);
    expect(tooMany).toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("lists the next ticks, and the job of the last one", async () => {
    const api = await startApi(application, env);
    const response = await fetch(`${api.url}/schedules?next=3`);
    const { schedules } = (await response.json()) as { schedules: ScheduleStatus[] };
    await api.stop();
    expect(schedules.map(({ name }) => name)).toEqual(["every-second", "daily", "latest", "all"]);
    const [, dailyStatus] = schedules;
    expect(dailyStatus).toMatchObject({
      when: "0 9 * * * in Europe/Berlin",
      catchUp: "none",
      jobType: "ticked",
    });
    expect(dailyStatus?.next).toHaveLength(3);
  });
});

describe("a scheduler that starts", () => {
  it("refuses invalid payloads and windows longer than the key retention, with a line for each", async () => {
    const unfit = defineSchedule({ name: "unfit", everyMs: 1_000, job, payload: () => ({ at: "noon" }) });
    const long = defineSchedule({
      name: "long",
      everyMs: 1_000,
      job,
      payload,
      catchUp: { mode: "all", windowMs: 3 * DAY },
    });
    const wrong = defineConfig({ jobs: [job], handlers: async () => [], schedules: [unfit, long] });
    const refused = await startScheduler(wrong, env).catch((error) => error);
    expect(refused).toMatchObject({ code: "APPLICATION_INVALID" });
    expect(refused.message.split("\n")).toEqual([
      expect.stringMatching(/^schedule "unfit": payload\.at: /),
      expect.stringMatching(/^schedule "long": catchUp\.windowMs: expected less than HOLDFAST_RETENTION_MS/),
    ]);
  });

  it.each([
    [{ name: "Bad Name", everyMs: 1_000 }, /name: expected/],
    [{ name: "fast", everyMs: 999 }, /everyMs: expected .* at least 1000/],
    [{ name: "never", cron: "0 0 30 2 *", timeZone: "UTC" }, /a date that exists/],
    [{ name: "wrong", cron: "0 0 0 * * *", timeZone: "UTC" }, /five fields/],
    [{ name: "backwards", everyMs: 1_000, startAt: new Date(1), endAt: new Date(1) }, /endAt: expected/],
    [{ name: "broken", everyMs: 1_000, startAt: new Date("no") }, /startAt: /],
    [{ name: "wide", everyMs: 1_000, jitterMs: 86_400_001 }, /jitterMs: /],
    [{ name: "nowhere", cron: "0 0 * * *", timeZone: "Europe/Atlantis" }, /IANA/],
    [{ name: "greedy", everyMs: 1_000, catchUp: { mode: "all" as const, max: 0 } }, /catchUp\.max/],
  ])("is never reached with %j", (times, message) => {
    expect(() => defineSchedule({ job, payload, ...times })).toThrow(message);
  });

  it("is never reached with a duplicate name or an unlisted job", () => {
    const other = { ...job, type: "other" };
    const stray = defineSchedule({ name: "stray", everyMs: 1_000, job: other, payload });
    expect(() =>
      defineConfig({ jobs: [job], handlers: async () => [], schedules: [daily, daily, stray] }),
    ).toThrow('schedule "daily": declared twice\nschedule "stray": its job "other" is not listed in jobs');
  });
});
