import { defineConfig, defineJob, defineSchedule, startScheduler } from "holdfast";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { jitterOf } from "../../../src/roles/schedules/define-schedule.ts";
import { explainTick, openScheduleReader } from "../../../src/roles/schedules/read-schedule.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { createService, testEnvironment } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";

const job = defineJob({
  type: "ticked",
  payload: z.strictObject({ at: z.iso.datetime() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
const payload = ({ at }: { at: Date }) => ({ at: at.toISOString() });
const catchUp = { mode: "all", max: 100, windowMs: 60_000 } as const;
const second = defineSchedule({ name: "second", everyMs: 1_000, job, payload, catchUp });
const application = defineConfig({ jobs: [job], handlers: async () => [], schedules: [second] });
const reason = "the warehouse is being moved";

async function stage(of = application) {
  const service = createService(of);
  const reader = openScheduleReader(
    plainStores(service.connect(), service.env.HOLDFAST_PREFIX),
    readSettings(service.env),
  );
  const operator = await service.createOperator();
  const schedule = async () => {
    const scheduler = await startScheduler(of, service.env);
    onTestFinished(() => scheduler.stop());
    return scheduler;
  };
  return { service, reader, operator, schedule };
}

const nextTick = () => Math.ceil((Date.now() + 1) / 1_000) * 1_000;

// Each waits for ticks of its own prefix: they wait together.
describe.concurrent("a paused schedule", () => {
  it("skips its ticks on every scheduler, and never catches them up, also by one that starts after it was resumed", async () => {
    const { reader, operator, schedule } = await stage();
    const schedulers = await Promise.all([schedule(), schedule()]);
    const before = nextTick();
    await vi.waitFor(
      async () => expect(await explainTick(reader, second, before)).toMatchObject({ kind: "enqueued" }),
      { timeout: 30_000 },
    );
    const { paused } = await operator.schedules.pause("second", { reason, by: "ann" });
    expect(paused).toMatchObject({ reason, by: "ann" });
    const during = nextTick();
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(during + 1_200), { timeout: 30_000 });
    expect(await explainTick(reader, second, during)).toMatchObject({
      kind: "skipped",
      why: `the schedule was paused by ann since ${paused?.since}: ${reason}`,
    });
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));

    expect(await operator.schedules.resume("second")).toMatchObject({ paused: null });
    const after = nextTick();
    await schedule();

    await vi.waitFor(
      async () =>
        expect(await explainTick(reader, second, after)).toMatchObject({ jobId: expect.any(String) }),
      { timeout: 30_000 },
    );
    // Ticks before the pause that no scheduler was there for are caught up.
    expect(await explainTick(reader, second, before - 20_000)).toMatchObject({ kind: "caught-up" });
    for (const at of [during, during + 1_000])
      expect(await explainTick(reader, second, at)).toMatchObject({
        kind: "skipped",
        why: expect.stringMatching(/^the schedule was paused by ann since .* until .*Z: the warehouse/),
      });
  });

  it("can be paused and resumed over HTTP, and is shown as paused", async () => {
    const { service } = await stage();
    const { url } = await service.startApi();
    const answer = await post(`${url}/schedules/second/pause`, { reason });
    expect(answer).toMatchObject({ status: 200, body: { name: "second", paused: { reason, by: "API" } } });
    expect(await get(`${url}/schedules`)).toMatchObject({ body: { schedules: [{ paused: { reason } }] } });
    expect(await post(`${url}/schedules/second/pause`, { reason: " " })).toMatchObject({ status: 400 });
    expect(await post(`${url}/schedules/third/pause`, { reason })).toMatchObject({
      status: 404,
      body: { code: "SCHEDULE_NOT_FOUND" },
    });
    expect(await post(`${url}/schedules/second/resume`, undefined)).toMatchObject({ body: { paused: null } });
  });

  it("goes on by itself where its pause has an end, which every scheduler knows", async () => {
    const { service, reader, operator, schedule } = await stage();
    const { url } = await service.startApi();
    await schedule();
    const end = nextTick() + 2_000;
    const until = new Date(end).toISOString();
    const paused = await post(`${url}/schedules/second/pause`, { reason, until });
    expect(paused.body).toMatchObject({ paused: { reason, until } });
    expect(
      await post(`${url}/schedules/second/pause`, { reason, until: "2026-01-01T00:00:00Z" }),
    ).toMatchObject({
      status: 400,
    });
    expect(
      await post(`${url}/schedules/second/pause`, { reason, until: "2036-01-01T00:00:00" }),
    ).toMatchObject({
      status: 400,
    });
    await vi.waitFor(
      async () => expect(await explainTick(reader, second, end)).toMatchObject({ jobId: expect.any(String) }),
      { timeout: 30_000 },
    );
    expect(await explainTick(reader, second, end - 1_000)).toMatchObject({
      kind: "skipped",
      why: expect.stringContaining(` until ${until}: ${reason}`),
    });
    expect((await operator.schedules.list()).schedules).toMatchObject([{ paused: null }]);
  });
});

describe.concurrent("one tick of a schedule", () => {
  it("is skipped, and none beside it; or runs after all", async () => {
    const { service, reader, operator, schedule } = await stage();
    const { url } = await service.startApi();
    // Far enough ahead for a busy machine.
    const at = nextTick() + 4_000;
    const skip = (tick: number, more = {}) =>
      post(`${url}/schedules/second/skip`, { at: new Date(tick).toISOString(), reason, ...more });
    expect((await skip(at)).body).toMatchObject({
      skips: [{ at: new Date(at).toISOString(), reason, by: "API" }],
    });
    expect((await skip(at + 1_000)).body.skips).toHaveLength(2);
    expect((await skip(at + 1_000, { undo: true })).body.skips).toHaveLength(1);
    expect(await skip(at + 1)).toMatchObject({ status: 400 });
    expect(await skip(at - 3_600_000)).toMatchObject({ status: 400 });
    expect(await explainTick(reader, second, at)).toMatchObject({
      kind: "skipped",
      why: expect.stringContaining(reason),
    });
    expect((await operator.schedules.list()).schedules).toMatchObject([{ paused: null }]);
    await schedule();
    for (const beside of [at - 1_000, at + 1_000])
      await vi.waitFor(
        async () =>
          expect(await explainTick(reader, second, beside)).toMatchObject({ jobId: expect.any(String) }),
        { timeout: 30_000 },
      );
    expect(await explainTick(reader, second, at)).toMatchObject({
      kind: "skipped",
      why: `the schedule was told to skip it by API: ${reason}`,
    });
    const { body } = await get(`${url}/audit`);
    expect(body.entries).toMatchObject([
      { as: "schedule-tick-unskipped", schedule: "second" },
      { as: "schedule-tick-skipped" },
      { as: "schedule-tick-skipped", evidence: `${new Date(at).toISOString()}: ${reason}` },
    ]);
  });
});

describe.concurrent("a schedule with bounds and jitter", () => {
  it("has no tick outside of them, and says so", async () => {
    const startAt = new Date(nextTick() - 30_000);
    const endAt = new Date(startAt.getTime() + 3_000);
    const bounded = defineSchedule({
      name: "bounded",
      everyMs: 1_000,
      job,
      payload,
      catchUp,
      startAt,
      endAt,
    });
    const { reader, schedule } = await stage(
      defineConfig({ jobs: [job], handlers: async () => [], schedules: [bounded, second] }),
    );
    await schedule();
    const kind = async (ms: number) => (await explainTick(reader, bounded, startAt.getTime() + ms)).kind;
    await vi.waitFor(async () => expect(await kind(2_000)).toBe("caught-up"), { timeout: 30_000 });

    expect(await Promise.all([-1_000, 0, 1_000, 2_000, 3_000].map(kind))).toEqual([
      "skipped",
      "caught-up",
      "caught-up",
      "caught-up",
      "skipped",
    ]);
    expect(await explainTick(reader, bounded, endAt.getTime())).toMatchObject({ why: /startAt and endAt/ });
  });

  it("submits the tick's job with a delay that every scheduler makes the same", async () => {
    const spread = defineSchedule({ name: "spread", everyMs: 1_000, job, payload, jitterMs: 60_000 });
    const { service, schedule } = await stage(
      defineConfig({ jobs: [job], handlers: async () => [], schedules: [spread] }),
    );
    const schedulers = await Promise.all([schedule(), schedule()]);
    const queue = service.openBareQueue();
    await vi.waitFor(async () => expect(await queue.getDelayedCount()).toBeGreaterThan(1), {
      timeout: 30_000,
    });
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));

    const jobs = await queue.getDelayed();
    const ticks = jobs.map(({ data: { key } }) => Date.parse(key.slice("schedule:spread:".length)));
    expect(jobs.map(({ opts }) => opts.delay)).toEqual(ticks.map((at) => jitterOf(spread, at)));
    expect(new Set(ticks).size).toBe(ticks.length);
  });
});

describe("on the command line", () => {
  it("a pause is set and ended, and shown by the doctor", withProcesses, async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: "examples/every-second/holdfast.config.ts" };
    const paused = await run(["schedules", "pause", "every-second", "--reason", reason], env);
    expect(paused).toMatchObject({ code: 0, stdout: expect.stringContaining(`: ${reason}`) });
    const { stdout } = await run(["doctor"], env);
    expect(stdout).toMatch(/pause of every-second.*paused by .* since .*: the warehouse is being moved/);
    const resumed = await run(["schedules", "resume", "every-second", "--json"], env);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ name: "every-second", paused: null });
    const stray = await run(["schedules", "pause", "stray", "--reason", reason], env);
    expect(stray.code).not.toBe(0);
    expect(stray.stderr).toContain('There is no schedule "stray"');
  });

  it("a tick is skipped, by an instant with its zone", async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: "examples/every-second/holdfast.config.ts" };
    const at = new Date(nextTick() + 3_600_000).toISOString();
    const skipped = await run(
      ["schedules", "skip", "every-second", "--at", at, "--reason", reason, "--json"],
      env,
    );
    expect(JSON.parse(skipped.stdout)).toMatchObject({ skips: [{ at, reason }] });
    const undone = await run(["schedules", "skip", "every-second", "--at", at, "--undo", "--json"], env);
    expect(JSON.parse(undone.stdout)).toMatchObject({ skips: [] });
    const unzoned = await run(
      ["schedules", "pause", "every-second", "--reason", reason, "--until", at.slice(0, -1)],
      env,
    );
    expect([unzoned.code, unzoned.stderr]).toEqual([2, expect.stringContaining("with its zone")]);
  });
});
