import { setTimeout as pause } from "node:timers/promises";
import { createOperator, defineConfig } from "holdfast";
import { describe, expect, it } from "vitest";
import everySecondApplication from "../../../examples/every-second/holdfast.config.ts";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { testEnvironment, type Variables } from "../../support/service.ts";
import {
  application,
  everySecond,
  invoice,
  report,
  SECOND,
  stage,
  untilNextSecond,
} from "../../support/stored-schedules.ts";
import { until } from "../../support/until.ts";

// Each waits for ticks of its own prefix: they wait together.
describe.concurrent("a schedule that is put", () => {
  it("ticks on any number of schedulers, each tick once, from after it was put", async () => {
    const at = stage();
    const operator = await at.createOperator();
    await Promise.all([at.startScheduler(), at.startScheduler(), at.startScheduler()]);
    const before = await operator.now();
    const status = await operator.schedules.put("acme-report", everySecond);
    expect(status).toMatchObject({
      name: "acme-report",
      when: "every 1 s",
      jobType: "report",
      catchUp: "none",
      stored: { version: 1 },
    });

    const jobs = await at.untilTicked("acme-report", 3);
    const ticks = jobs.map((job) => job.at);
    expect(new Set(ticks).size).toBe(ticks.length);
    expect(ticks[0]).toBeGreaterThan(before);
    expect(ticks.at(-1)).toBe((ticks[0] ?? 0) + (ticks.length - 1) * SECOND);
    expect(jobs[0]).toMatchObject({ type: "report", payload: { tenant: "acme" } });
  });

  it("changes exactly at its instant: each tick has one job, of the version that was in force", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const random = createRandom(1);
    await Promise.all([at.startScheduler(), at.startScheduler()]);
    for (let n = 0; n < 12; n += 1) {
      const type = random.pick(["report", "invoice"]);
      await operator.schedules.put("acme", { ...everySecond, type, payload: { tenant: "acme", n } });
      // Random moments are the point.
      await pause(random.between(50, 900));
    }
    await operator.schedules.delete("acme");
    const deletedAt = await operator.now();
    await untilNextSecond(operator);
    await untilNextSecond(operator);

    const { versions } = await at.stored.read("acme");
    const wanted = secondsAfter(versions[0]?.since ?? 0, deletedAt).map((tick) => {
      const version = versions.find(({ since, until: end }) => since < tick && tick <= end);
      return { at: tick, n: (version?.version ?? 0) - 1 };
    });
    expect(wanted.length).toBeGreaterThan(3);
    const jobs = await at.jobsOf("acme");
    expect(jobs.map(({ at: tick, payload: { n } }) => ({ at: tick, n }))).toEqual(wanted);
  });

  it("keeps its version if it is put again as it is", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const first = await operator.schedules.put("acme", everySecond);
    const { payload, type, everyMs } = everySecond;
    expect(await operator.schedules.put("acme", { payload, type, everyMs })).toMatchObject({
      stored: first.stored,
    });
    expect(await operator.schedules.put("acme", { ...everySecond, everyMs: 2_000 })).toMatchObject({
      stored: { version: 2 },
    });
  });

  it("may name its job by the contract, which is the same as by the type", async () => {
    const at = stage();
    const operator = await at.createOperator();
    await at.startScheduler();
    const { type: _, ...rest } = everySecond;
    const { stored } = await operator.schedules.put("acme", { ...rest, job: report });
    expect(await operator.schedules.put("acme", everySecond)).toMatchObject({ jobType: "report", stored });
    expect(await operator.schedules.definition("acme")).toEqual(everySecond);
    await at.untilTicked("acme");
  });

  it.each([
    ["a job and a type", { ...everySecond, job: report }, "/job: expected either job or type, got both"],
    ["neither", { ...everySecond, type: undefined }, "/job: expected a job's contract"],
    [
      "the name of a job",
      { ...everySecond, type: undefined, job: "report" },
      "/job: expected a job's contract",
    ],
    ["nothing", null, "/job: expected a job's contract"],
  ])("is refused with %s", async (_what, definition: unknown, message) => {
    const operator = await stage().createOperator();
    await expect(operator.schedules.put("acme", definition as typeof everySecond)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining(message),
    });
  });

  it("ticks between startsAt and endsAt alone, and is then looked at no more", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const start = Math.ceil((await operator.now()) / SECOND) * SECOND + 2 * SECOND;
    const iso = (instant: number) => new Date(instant).toISOString();
    await operator.schedules.put("bounded", {
      ...everySecond,
      startsAt: iso(start),
      endsAt: iso(start + 2 * SECOND),
    });
    await at.startScheduler();
    await until("it is over", async () => (await operator.now()) > start + 3 * SECOND);
    expect((await at.jobsOf("bounded")).map((job) => job.at)).toEqual([start, start + SECOND]);
    expect(await at.connect().zcard(`${at.env.HOLDFAST_PREFIX}:{stored_schedules}:due`)).toBe(0);
    expect(await operator.schedules.explain("bounded", start - SECOND)).toMatchObject({
      kind: "skipped",
      why: expect.stringMatching(/startAt and endAt/),
    });
  });

  it("skips ticks while it is paused, and never catches them up", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const catchUp = { mode: "all" } as const;
    await operator.schedules.put("acme", { ...everySecond, catchUp });
    await at.startScheduler();
    await at.untilTicked("acme");
    const { paused } = await operator.schedules.pause("acme", { reason: "moving", by: "ann" });
    const pausedAt = Date.parse(paused?.since ?? "");
    await untilNextSecond(operator);
    const during = await untilNextSecond(operator);
    await operator.schedules.resume("acme");
    await until("it ticks again", async () => ((await at.jobsOf("acme")).at(-1)?.at ?? 0) > during);

    const ticks = (await at.jobsOf("acme")).map((job) => job.at);
    expect(ticks.filter((tick) => tick >= pausedAt && tick <= during)).toEqual([]);
    expect(await operator.schedules.explain("acme", during)).toMatchObject({
      kind: "skipped",
      why: expect.stringMatching(/^the schedule was paused by ann/),
    });
  });
});

describe.concurrent("a schedule that is deleted", () => {
  it("has no further tick, and ticks after it is put again, with a later version", async () => {
    const at = stage();
    const operator = await at.createOperator();
    await at.startScheduler();
    await operator.schedules.put("acme", everySecond);
    await at.untilTicked("acme");
    await operator.schedules.delete("acme");
    const deletedAt = await operator.now();
    await untilNextSecond(operator);
    const after = await untilNextSecond(operator);
    const ticks = (await at.jobsOf("acme")).map((job) => job.at);
    expect(Math.max(...ticks)).toBeLessThanOrEqual(deletedAt);
    await expect(operator.schedules.explain("acme", after)).rejects.toMatchObject({
      code: "SCHEDULE_NOT_FOUND",
    });
    await expect(operator.schedules.delete("acme")).rejects.toMatchObject({ code: "SCHEDULE_NOT_FOUND" });

    const { stored } = await operator.schedules.put("acme", { ...everySecond, type: "invoice" });
    expect(stored).toMatchObject({ version: 3 });
    const jobs = await at.untilTicked("acme", ticks.length + 1);
    expect(jobs.slice(ticks.length).every(({ type }) => type === "invoice")).toBe(true);
    expect(jobs[ticks.length]?.at).toBeGreaterThan(after);
    expect(await operator.schedules.explain("acme", after)).toMatchObject({ kind: "not-a-tick" });
  });
});

describe.concurrent("an outage of all schedulers", () => {
  it("is caught up as the schedule says, and explained", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const policies = {
      none: { mode: "none" },
      latest: { mode: "latest" },
      all: { mode: "all", max: 15 },
    } as const;
    const names = Object.keys(policies) as (keyof typeof policies)[];
    for (const name of names) {
      await operator.schedules.put(name, { ...everySecond, catchUp: policies[name] });
      await at.bringPutForward(name, 30 * SECOND);
    }
    await at.startScheduler();
    const started = await operator.now();
    const jobs = await Promise.all(
      names.map((name) => at.untilTicked(name, policies[name].mode === "all" ? 15 : 9)),
    );

    // Ticks of the last ten seconds are on time, whatever the policy.
    const [none, latest, all] = jobs.map((of) => of.filter((job) => job.at < started - 11 * SECOND).length);
    expect([none, latest]).toEqual([0, 0]);
    expect(all).toBeGreaterThanOrEqual(3);
    const missed = Math.floor(started / SECOND - 25) * SECOND;
    expect(await operator.schedules.explain("none", missed)).toMatchObject({
      kind: "skipped",
      why: expect.stringMatching(/catch-up is none/),
    });
    expect(await operator.schedules.explain("all", missed)).toMatchObject({
      kind: "skipped",
      why: expect.stringMatching(/only the latest 15/),
    });
    expect(await operator.schedules.explain("all", jobs[2]?.[0]?.at ?? 0)).toMatchObject({
      kind: "caught-up",
    });
    expect(await operator.schedules.ticks("none", 30)).toContainEqual(
      expect.objectContaining({ jobId: null, isBeforeFirst: false }),
    );
  });

  it("runs the latest tick of a slow schedule, which none skips", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const now = await operator.now();
    // Its last tick is neither on time nor about to be followed.
    const everyMs = [3_600_000, 3_700_000].find((ms) => now % ms > 60_000 && now % ms < ms - 60_000) ?? 0;
    const hourly = { ...everySecond, everyMs };
    const policies = {
      none: { mode: "none" },
      latest: { mode: "latest" },
      all: { mode: "all", max: 2 },
    } as const;
    for (const [name, catchUp] of Object.entries(policies)) {
      await operator.schedules.put(name, { ...hourly, catchUp });
      await at.bringPutForward(name, 5 * everyMs);
    }
    const last = Math.floor(now / everyMs) * everyMs;
    await at.startScheduler();
    expect((await at.untilTicked("all", 2)).map((job) => job.at)).toEqual([last - everyMs, last]);
    expect((await at.untilTicked("latest")).map((job) => job.at)).toEqual([last]);
    expect(await at.jobsOf("none")).toEqual([]);
  });

  it("catches up what was due before a change or a deletion, under the version of then", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const catchUp = { mode: "all" } as const;
    const n = (number: number) => ({ ...everySecond, catchUp, payload: { tenant: "acme", n: number } });
    await operator.schedules.put("acme", n(1));
    await untilNextSecond(operator);
    await operator.schedules.put("acme", { ...n(2), type: "invoice" });
    await untilNextSecond(operator);
    await operator.schedules.delete("acme");
    const deletedAt = await operator.now();
    await at.startScheduler();
    const { versions } = await at.stored.read("acme");
    const ticks = secondsAfter(versions[0]?.since ?? 0, deletedAt);
    const jobs = await at.untilTicked("acme", ticks.length);
    expect(ticks.length).toBeGreaterThan(1);
    expect(jobs.map((job) => [job.at, job.type])).toEqual(
      ticks.map((tick) => [tick, tick <= (versions[1]?.since ?? 0) ? "report" : "invoice"]),
    );
  });
});

describe.concurrent("a schedule whose jobs must not overlap", () => {
  it("skips ticks while its job has not ended", async () => {
    const at = stage();
    const operator = await at.createOperator();
    await operator.schedules.put("acme", { ...everySecond, overlap: "skip" });
    await Promise.all([at.startScheduler(), at.startScheduler()]);
    const [job] = await at.untilTicked("acme");
    await untilNextSecond(operator);
    const skipped = await untilNextSecond(operator);
    await until("it is skipped", async () => {
      const { kind } = await operator.schedules.explain("acme", skipped);
      return kind === "skipped";
    });
    expect(await at.jobsOf("acme")).toEqual([job]);
  });

  it("lets a tick wait, and submits it as its version says, though it was changed meanwhile", async () => {
    const at = stage();
    const operator = await at.createOperator();
    await operator.schedules.put("acme", {
      ...everySecond,
      payload: { tenant: "acme", n: 1 },
      overlap: "queue-one",
    });
    await at.startScheduler();
    await at.untilTicked("acme");
    const queued = await untilNextSecond(operator);
    await until("the next tick waits", async () => {
      const { kind, text } = await operator.schedules.explain("acme", queued);
      return kind === "awaited" && text.includes("waits for the job");
    });
    await operator.schedules.put("acme", { ...everySecond, everyMs: 3_600_000, type: "invoice" });
    const [running] = await at.openBareQueue().getJobs();
    await operator.cancel(String(running?.id));

    const jobs = await at.untilTicked("acme", 2);
    expect(jobs.map(({ type, payload }) => [type, payload.n])).toEqual([
      ["report", 1],
      ["report", 1],
    ]);
    expect(jobs[1]?.at).toBe(queued);
  });
});

describe.concurrent("schedulers of several versions of the application", () => {
  it("lose no tick of a type that one of them does not know", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const older = defineConfig({ jobs: [report], handlers: async () => [] });
    await at.startScheduler(older);
    await operator.schedules.put("new", {
      everyMs: 2 * SECOND,
      type: invoice.type,
      payload: { tenant: "acme" },
      // However late the newer one is.
      catchUp: { mode: "all" },
    });
    await untilNextSecond(operator);
    await untilNextSecond(operator);
    await untilNextSecond(operator);
    expect(await at.jobsOf("new")).toEqual([]);
    await at.startScheduler(application);
    await at.untilTicked("new");
    const { versions } = await at.stored.read("new");
    const jobs = await at.untilTicked("new", 3);
    const first = Math.ceil(((versions[0]?.since ?? 0) + 1) / (2 * SECOND)) * 2 * SECOND;
    expect(jobs.slice(0, 3).map((job) => job.at)).toEqual([first, first + 2 * SECOND, first + 4 * SECOND]);
  });
});

describe("two schedulers, killed in turn", () => {
  it(`enqueue each tick of stored schedules once`, withProcesses, async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: "examples/every-second/holdfast.config.ts" };
    await using operator = await createOperator(everySecondApplication, env);
    const names = ["one", "two", "three"];
    const definition = {
      everyMs: SECOND,
      type: "beat",
      payload: { at: "2026-01-01T00:00:00Z" },
      catchUp: { mode: "all" },
    } as const;
    const put = await Promise.all(names.map((name) => operator.schedules.put(name, definition)));
    const deadline = (await operator.now()) + 10 * SECOND;
    await killInTurn(env, createRandom(1), deadline);
    const last = launch(["scheduler"], env);

    const wanted = put.flatMap(({ name, stored }) =>
      secondsAfter(Date.parse(stored?.since ?? ""), deadline).map(
        (tick) => `schedule:${name}:${new Date(tick).toISOString()}`,
      ),
    );
    const keys = async () => {
      const { jobs } = await operator.list({ state: "waiting", limit: 500 });
      return jobs.map(({ idempotencyKey }) => idempotencyKey).filter((key) => !key.includes("every-second"));
    };
    await until(
      "every tick has a job",
      async () => {
        const enqueued = new Set(await keys());
        return wanted.every((key) => enqueued.has(key));
      },
      START_MS,
    );
    last.kill("SIGKILL");
    await last.ended;
    const enqueued = await keys();
    expect(new Set(enqueued).size).toBe(enqueued.length);
  });
});

/** Two at a time; each in turn is killed and follows itself. */
async function killInTurn(env: Variables, random: Random, deadline: number): Promise<void> {
  const running = [launch(["scheduler"], env), launch(["scheduler"], env)];
  for (let turn = 0; Date.now() < deadline; turn += 1) {
    await pause(random.between(800, 2_500)); // until a random moment, at which it is killed
    const place = turn % 2;
    running[place]?.kill("SIGKILL");
    await running[place]?.ended;
    running[place] = launch(["scheduler"], env);
  }
  for (const scheduler of running) scheduler.kill("SIGKILL");
  await Promise.all(running.map(({ ended }) => ended));
}

function secondsAfter(from: number, until: number): number[] {
  const first = Math.floor(from / SECOND + 1) * SECOND;
  return Array.from(
    { length: Math.max(0, Math.floor((until - first) / SECOND) + 1) },
    (_, index) => first + index * SECOND,
  );
}
