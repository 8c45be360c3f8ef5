import { defineConfig, defineSchedule, startScheduler } from "holdfast";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { diagnose } from "../../../src/desk/doctor/doctor.ts";
import { diagnoseSchedules } from "../../../src/desk/doctor/doctor-schedules.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { openMissedTicks } from "../../../src/roles/schedules/missed-ticks.ts";
import { openOverlaps } from "../../../src/roles/schedules/overlap.ts";
import { schedulePausesKey } from "../../../src/roles/schedules/pauses.ts";
import { openScheduleReader, readPastTicks } from "../../../src/roles/schedules/read-schedule.ts";
import { tickKey } from "../../../src/roles/schedules/tick-keys.ts";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { scrape } from "../../support/metrics.ts";
import { openOwnSubmitter } from "../../support/own-submitter.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const MINUTE = 60_000;
const job = anyJob({ type: "ticked" });
const minutely = (name: string, catchUp?: { readonly mode: "latest" }) =>
  defineSchedule({ name, everyMs: MINUTE, job, payload: () => 1, ...(catchUp && { catchUp }) });
const stopped = minutely("stopped");
const fresh = minutely("fresh");
const paused = minutely("paused");
const outage = minutely("outage");
const awaited = minutely("awaited", { mode: "latest" });
const overlapping = defineSchedule({
  name: "overlapping",
  everyMs: MINUTE,
  job,
  payload: () => 1,
  overlap: "skip",
});
const schedules = [stopped, fresh, paused, outage, awaited, overlapping];
const application = defineConfig({ jobs: [job], schedules, handlers: async () => [] });

const parts: (() => Promise<void>)[] = [];
const service = createService(application, { HOLDFAST_METRICS_PORT: "0" }, (stop) => parts.push(stop));
const lastMinute = (minutesAgo: number) => (Math.floor(Date.now() / MINUTE) - minutesAgo) * MINUTE;

beforeAll(async () => {
  const producer = await openOwnSubmitter(application, service.env);
  parts.push(producer.stop);
  const enqueue = (schedule: (typeof schedules)[number], at: number) =>
    producer.submit(job, 1, { idempotencyKey: tickKey(schedule, at) });
  for (const schedule of [stopped, paused, awaited]) await enqueue(schedule, lastMinute(6));
  for (let ago = 30; ago < 60; ago += 1) await enqueue(outage, lastMinute(ago));
  const pause = { reason: "deploy", by: "test", since: lastMinute(6) + 1 };
  await service
    .connect()
    .hset(
      schedulePausesKey(service.env.HOLDFAST_PREFIX ?? ""),
      `paused:${pause.since}`,
      JSON.stringify(pause),
    );
  const { id } = await enqueue(overlapping, lastMinute(6));
  await withStores(async (stores, settings) => {
    const { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs } = settings;
    const overlaps = openOverlaps(stores, prefix, retentionMs);
    await overlaps.decide(overlapping, lastMinute(6));
    await overlaps.noteJob(overlapping, lastMinute(6), id);
    for (let ago = 5; ago >= 0; ago -= 1) await overlaps.decide(overlapping, lastMinute(ago));
  });
  return async () => {
    for (const stop of parts) await stop();
  };
});

async function withStores<T>(
  use: (stores: ReturnType<typeof openQueueStores>, settings: ReturnType<typeof readSettings>) => Promise<T>,
): Promise<T> {
  const settings = readSettings(service.env);
  const redis = await reachRedis(settings, "fail-fast");
  try {
    return await use(openQueueStores(redis, settings.HOLDFAST_PREFIX), settings);
  } finally {
    await redis.stop();
  }
}

describe("ticks that nobody enqueued", () => {
  it("are those since the latest that was enqueued, without those of a pause, of an overlap or of a new schedule", async () => {
    const now = lastMinute(0) + 1;

    const found = await withStores(async (stores, settings) => {
      const missed = openMissedTicks(openScheduleReader(stores, settings));
      return await Promise.all(schedules.map((schedule) => missed.of(schedule, now)));
    });

    const since = [1, 2, 3, 4, 5].map((ago) => now - 1 - ago * MINUTE).filter((at) => at > lastMinute(6));
    expect(found.map(({ length }) => length)).toEqual([since.length, 0, 0, 11, since.length, 0]);
    expect(found[0]).toEqual(since);
  });

  it("are reported by the API, while no scheduler runs", async () => {
    const { url } = await service.startApi();

    const reading = await scrape(`${url}/metrics`);

    const missed = (schedule: string) => reading.value("holdfast_schedule_missed_ticks", { schedule });
    expect(missed("stopped")).toBeGreaterThanOrEqual(4);
    expect(["fresh", "paused", "outage"].map(missed)).toEqual([0, 0, 11]);
  });

  it("are a finding of the doctor: a bad one where a scheduler would have caught them up", async () => {
    const findings = await withStores((stores, settings) => diagnose(application, stores, settings));

    expect(findings.filter(({ name }) => name.startsWith("ticks of "))).toMatchObject([
      { name: "ticks of stopped", verdict: "warn", remedy: expect.stringContaining("holdfast scheduler") },
      { name: "ticks of outage", verdict: "warn", found: expect.stringMatching(/^11 ticks not enqueued/) },
      { name: "ticks of awaited", verdict: "bad" },
    ]);
  });

  it("are shown as missed, and not as ticks of before the first job or of a pause", async () => {
    const shown = await withStores(async (stores, settings) => {
      const reader = openScheduleReader(stores, settings);
      const read = (schedule: (typeof schedules)[number]) => readPastTicks(reader, schedule, 12);
      return await Promise.all([stopped, fresh, paused].map(read));
    });

    const kinds = shown.map((ticks) => ({
      missed: ticks.filter(({ isMissed }) => isMissed).length,
      beforeFirst: ticks.filter(({ isBeforeFirst }) => isBeforeFirst).length,
    }));
    expect(kinds[0]?.missed).toBeGreaterThanOrEqual(4);
    expect(kinds[0]?.beforeFirst).toBeGreaterThanOrEqual(4);
    expect(kinds.slice(1)).toEqual([
      { missed: 0, beforeFirst: 12 },
      { missed: 0, beforeFirst: expect.any(Number) },
    ]);
  });

  it("have no scheduler that would enqueue the next ones, as each schedule, the doctor and the command line say", async () => {
    const { url } = await service.startApi();
    const schedulers = async () => {
      const { schedules: listed } = (await get(`${url}/schedules`)).body as unknown as {
        schedules: readonly { schedulers: number }[];
      };
      return [...new Set(listed.map(({ schedulers: count }) => count))];
    };
    const finding = async () => {
      const findings = await withStores((stores, settings) => diagnose(application, stores, settings));
      return findings.find(({ name }) => name === "schedulers");
    };
    expect(await schedulers()).toEqual([0]);
    expect(await finding()).toMatchObject({
      verdict: "bad",
      found: "0 running",
      remedy: "start one: holdfast scheduler",
    });

    const scheduler = await startScheduler(
      defineConfig({ jobs: [job], handlers: async () => [] }),
      service.env,
    );
    await until("it is known", async () => (await schedulers())[0] === 1);
    expect(await finding()).toMatchObject({ verdict: "ok", found: "1 running" });
    await scheduler.stop();

    expect(await schedulers()).toEqual([0]);
  });

  it("are counted once by a scheduler that starts, except those that it catches up", async () => {
    const scheduler = await startScheduler(application, service.env);
    onTestFinished(scheduler.stop);
    const read = () => scrape(scheduler.metricsUrl ?? "");
    const ticks = (outcome: string, schedule: string) => ({ outcome, schedule });

    const reading = await until("they are counted", async () => {
      const some = await read();
      const counted = some.value("holdfast_schedule_ticks_total", ticks("missed", "outage"));
      return counted === 11 && some;
    });

    const missed = (schedule: string) =>
      reading.value("holdfast_schedule_ticks_total", ticks("missed", schedule)) ?? 0;
    expect(missed("stopped")).toBeGreaterThanOrEqual(4);
    expect([missed("fresh"), missed("paused")]).toEqual([0, 0]);
    expect(reading.value("holdfast_schedule_ticks_total", ticks("enqueued", "awaited"))).toBe(1);
  });
});

describe("while Redis does not answer", () => {
  // A rejection that nobody handles would end an API whose overview asks for this: here it fails the run.
  it("the checks of schedules fail as one", async () => {
    const redis = await startRedisServer();
    onTestFinished(redis.stop);
    const settings = readSettings(createService(application, { REDIS_URL: redis.url }).env);
    const access = await reachRedis(settings, "fail-fast");
    onTestFinished(access.stop);
    const stores = openQueueStores(access, settings.HOLDFAST_PREFIX);
    process.kill(redis.pid, "SIGSTOP");
    onTestFinished(() => void process.kill(redis.pid, "SIGCONT"));

    await expect(diagnoseSchedules(application, stores, settings)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });
});
