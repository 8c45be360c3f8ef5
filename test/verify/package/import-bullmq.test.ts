import type { Job } from "bullmq";
import { describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { bullmqApplication, type Done } from "../../support/bullmq-application.ts";
import { launch, launchRole, START_MS, withProcesses } from "../../support/processes.ts";
import { createRandom } from "../../support/random.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const HOUR = 3_600_000;
const good = { to: "anoop@example.com", name: "Anoop" };

function stage() {
  const service = createService(application);
  const old = bullmqApplication();
  const importing = (...more: readonly string[]) => [
    "import",
    "bullmq",
    old.name,
    "--prefix",
    old.prefix,
    ...more,
  ];
  return {
    ...service,
    old,
    importing,
    import: (...more: readonly string[]) => run(importing(...more), service.env),
    /** Holdfast's jobs, whatever their state. */
    jobs: async () =>
      (await service.openBareQueue().getJobs()) as Job<{ key: string; payload: Done["data"] }>[],
  };
}

describe("holdfast import bullmq", () => {
  it("moves what waits, in its order, with delays and priorities", async () => {
    const { old, openBareQueue, ...at } = stage();
    for (let n = 1; n <= 250; n += 1) await old.queue.add("greet", { n });
    await old.queue.add("greet", { n: 1_002 }, { priority: 7 });
    await old.queue.add("greet", { n: 1_001 }, { priority: 3 });
    const delayed = await old.queue.add("greet", { n: 2_001 }, { delay: HOUR, priority: 5 });

    const { code, stdout } = await at.import("--type", "echo", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: 253,
      duplicates: 0,
      issues: 0,
      left: { wait: 0, prioritized: 0, delayed: 0, withdrawn: 0 },
    });
    const queue = openBareQueue();
    const numbers = (jobs: readonly Job[]) => jobs.map(({ data }) => data.payload.n);
    expect(numbers(await queue.getWaiting(0, -1))).toEqual(Array.from({ length: 250 }, (_, at) => at + 1));
    expect(numbers(await queue.getPrioritized())).toEqual([1_001, 1_002]);
    const [due] = await queue.getDelayed();
    expect(due).toMatchObject({ priority: 5, data: { payload: { n: 2_001 } } });
    expect(Math.abs((due?.timestamp ?? 0) + (due?.delay ?? 0) - delayed.timestamp - HOUR)).toBeLessThan(50);
    expect(await old.connection.keys(old.key("holdfast:*"))).toEqual([]);
    expect(await old.queue.getJob(delayed.id ?? "")).toBeUndefined();
  });

  it("reports what the contract refuses, and leaves it where it is", async () => {
    const { old, ...at } = stage();
    const bad = await old.queue.add("greet", { to: "nobody" });
    await old.queue.add("greet", good);
    const worse = await old.queue.add("greet", good, { delay: 400 * 24 * HOUR });

    const dry = await at.import("--type", "greeting", "--dry-run", "--json");
    expect(dry.code).toBe(1);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      dryRun: true,
      jobs: 1,
      issues: 2,
      left: { wait: 2, delayed: 1 },
    });
    expect(await at.jobs()).toHaveLength(0);

    const { code, stdout, stderr } = await at.import("--type", "greeting");
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: "1 jobs and 0 schedules imported; 2 do not fit\nin BullMQ's queue: 1 wait, 1 delayed\n",
    });
    expect(stderr).toContain(`job ${bad.id}: INVALID_PAYLOAD: /payload/`);
    expect(stderr).toContain(
      `job ${worse.id}: INVALID_REQUEST: /options/runAt: expected an instant at most a year`,
    );
    expect(await bad.getState()).toBe("waiting");
    expect(await at.jobs()).toHaveLength(1);
  });

  it("tells jobs of the same id apart by when they were added, and frees the id and its deduplication", async () => {
    const { old, ...at } = stage();
    const options = { jobId: "order-1", deduplication: { id: "order" } };
    await old.queue.add("greet", { n: 1 }, options);
    expect((await at.import("--type", "echo")).code).toBe(0);
    await old.queue.add("greet", { n: 1 }, options);
    expect((await at.import("--type", "echo")).code).toBe(0);
    expect(await at.jobs()).toHaveLength(2);
  });

  it("leaves flows to BullMQ, and says so", async () => {
    const { old, ...at } = stage();
    const { queue } = old;
    const children = [1, 2].map((n) => ({ name: "greet", queueName: queue.name, data: { n } }));
    await old.flows.add({ name: "greet", queueName: queue.name, data: { n: 3 }, children });
    const { code, stdout, stderr } = await at.import("--type", "echo", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: 0,
      issues: 2,
      left: { wait: 2, "waiting-children": 1 },
    });
    expect(stderr).toContain("FLOW: a child of a flow");
  });

  it("asks which name is meant where the queue has several, and moves that one alone", async () => {
    const { old, ...at } = stage();
    await old.queue.addBulk([1, 2, 3].map((n) => ({ name: n === 2 ? "other" : "greet", data: { n } })));
    const refused = await at.import("--type", "echo");
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain("expected --name with one of greet, other");
    expect((await at.import("--type", "echo", "--name", "greet")).code).toBe(0);
    expect((await old.queue.getWaiting()).map(({ data }) => data)).toEqual([{ n: 2 }]);
  });

  it("refuses a queue and a type that do not exist as wrong usage", async () => {
    const { env, old, ...at } = stage();
    const missing = await run(["import", "bullmq", "male", "--type", "echo", "--prefix", old.prefix], env);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('there is no queue "male"');
    const unknown = await at.import("--type", "ecko");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('there is no job type "ecko"');
  });

  it("pauses the queue of the type where BullMQ's is paused, before its jobs come, and says so", async () => {
    const { old, createOperator, ...at } = stage();
    await old.queue.add("greet", good);
    await old.queue.pause();
    const { queues } = await createOperator();

    const dry = await at.import("--type", "greeting", "--dry-run");
    expect(dry.stdout).toContain("would be paused");
    expect((await queues.show("default")).paused).toBeNull();
    const { code, stdout } = await at.import("--type", "greeting");
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("holdfast queues resume default"),
    });
    expect((await queues.show("default")).paused?.reason).toContain("was paused when it was imported");
    await old.queue.resume();
    const again = await at.import("--type", "greeting", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ paused: null });
  });

  it("limits the queue of the type as BullMQ's is, before its jobs come, unless it has limits of its own", async () => {
    const { old, createOperator, ...at } = stage();
    await old.queue.add("greet", good);
    await old.queue.setGlobalConcurrency(3);
    await old.queue.setGlobalRateLimit(10, 1_000);
    const { queues } = await createOperator();
    const limits = async () => (await queues.show("default")).limits;

    const dry = await at.import("--type", "greeting", "--dry-run");
    expect(dry.stdout).toContain("3 at a time and 10/1s, so the queue default would be");
    expect(await limits()).toEqual({ concurrency: null, rate: null });
    const { stdout } = await at.import("--type", "greeting");
    expect(stdout).toContain("so the queue default is, with all its types: holdfast queues limit default");
    expect(await limits()).toEqual({ concurrency: 3, rate: "10/1s" });

    await queues.limit("default", { concurrency: 5 }, "me");
    const again = await at.import("--type", "greeting", "--json");
    const kept = { queue: "default", concurrency: 3, rate: "10/1s", isCarried: false };
    expect(JSON.parse(again.stdout)).toMatchObject({ limits: kept });
    expect(await limits()).toEqual({ concurrency: 5, rate: null });
  });

  it("refuses Holdfast's own prefix, and a Redis out of reach", async () => {
    const { env, ...at } = stage();
    const own = await run(
      ["import", "bullmq", "mail", "--type", "echo", "--prefix", env.HOLDFAST_PREFIX],
      env,
    );
    expect(own).toMatchObject({ code: 2 });
    expect(await at.import("--type", "echo", "--from-redis", "redis://127.0.0.1:1")).toMatchObject({
      code: 3,
    });
  });

  it("puts a schedule for each job scheduler that fits, from the run after its next", async () => {
    const { old, createOperator, ...at } = stage();
    const { queue } = old;
    await queue.upsertJobScheduler(
      "Nightly report",
      { pattern: "0 0 3 * * *", tz: "Europe/Berlin" },
      { name: "greet", data: good },
    );
    await queue.upsertJobScheduler(
      "hourly",
      { every: HOUR, offset: HOUR / 2 },
      { name: "greet", data: good },
    );
    await queue.upsertJobScheduler("often", { pattern: "*/10 * * * * *" }, { name: "greet", data: good });
    await queue.upsertJobScheduler(
      "twice",
      { pattern: "0 9 * * *", tz: "UTC", limit: 2 },
      { name: "greet", data: good },
    );
    const [nightly] = (await queue.getJobSchedulers()).filter(({ key }) => key === "Nightly report");

    const dry = await at.import("--type", "greeting", "--dry-run", "--json");
    expect(JSON.parse(dry.stdout)).toMatchObject({ jobs: 2, schedules: 2, issues: 2 });
    const { code, stdout, stderr } = await at.import("--type", "greeting", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: 2,
      schedules: 2,
      issues: 2,
      left: { schedulers: 2, delayed: 2 },
    });
    expect(stderr).toContain("schedule often: INVALID_REQUEST");
    expect(stderr).toContain("schedule twice: INVALID_REQUEST: it ends after 2 runs");
    const operator = await createOperator();
    const { schedules } = await operator.schedules.list();
    expect(schedules.map(({ name }) => name)).toEqual([
      "hourly",
      expect.stringMatching(/^nightly-report-[0-9a-f]{8}$/),
    ]);
    expect(schedules[1]).toMatchObject({
      when: expect.stringContaining("0 3 * * * in Europe/Berlin"),
      jobType: "greeting",
    });
    const next = Date.parse(schedules[1]?.next[0] ?? "");
    expect(next).toBeGreaterThan((nightly?.next ?? 0) + 22 * HOUR);
    // The next run itself is a job.
    expect((await at.jobs()).map(({ data: { payload } }) => payload)).toEqual([good, good]);
    expect((await at.import("--type", "greeting", "--json")).stdout).toContain('"schedules":0');
  });
});

describe("an import that is killed again and again, beside three workers of BullMQ and those of Holdfast", () => {
  it("loses no job and doubles none, nor a tick of a schedule", withProcesses, async () => {
    const random = createRandom(1);
    const { old, env, importing, jobs } = stage();
    const { queue, connection, key } = old;
    const numbers = Array.from({ length: 3_000 }, (_, n) => n);
    await queue.addBulk(
      numbers.map((n) => ({
        name: "greet",
        data: { n },
        opts: [{}, { priority: 1 + (n % 5) }, { delay: random.between(500, 60_000) }][n % 3] ?? {},
      })),
    );
    await queue.upsertJobScheduler(
      "every-second",
      { every: 1_000, offset: 1_000 },
      { name: "greet", data: {} },
    );
    const children = [1, 2].map((n) => ({
      name: "greet",
      queueName: queue.name,
      data: { n: -n },
      opts: { priority: 9 },
    }));
    await old.flows.add({ name: "greet", queueName: queue.name, data: { n: -3 }, children });
    await launchRole("scheduler", env);
    await launchRole("worker", env);
    for (let worker = 1; worker <= 3; worker += 1) old.startWorker(50);

    let kills = 0;
    for (let isDone = false; !isDone; ) {
      const child = launch(importing("--type", "echo"), env);
      const hasEnded = child.ended.then(({ code }) => code !== null);
      if (kills < 6) {
        const goal = random.between(1, 400);
        const before = await waiting();
        const isUnderWay = until("it is under way", async () => before - (await waiting()) >= goal, START_MS);
        await Promise.race([isUnderWay, hasEnded]);
        child.kill("SIGKILL");
      }
      isDone = await hasEnded;
      if (!isDone) kills += 1;
    }
    expect(kills).toBeGreaterThan(2);
    await until("BullMQ has done the rest", async () => (await leftOver()) === 0, 120_000);
    const last = await run(importing("--type", "echo", "--json"), env);
    expect(JSON.parse(last.stdout)).toMatchObject({
      jobs: 0,
      issues: 0,
      left: { withdrawn: 0, schedulers: 0 },
    });

    const ticksIn = (imported: Awaited<ReturnType<typeof jobs>>) =>
      sorted([
        ...old.done.flatMap(({ id }) => tickOf(id)),
        ...imported.flatMap(({ data }) => tickOf(data.key)),
      ]);
    // On a quick machine all of it lasts three seconds.
    const enough = async () => ticksIn(await jobs()).length > 3;
    await until("four ticks have come", enough);

    const imported = await jobs();
    expect(imported.length).toBeGreaterThan(500);
    expect(old.done.length).toBeGreaterThan(50);
    const all = [...old.done.map(({ data }) => data.n), ...imported.map(({ data }) => data.payload.n)];
    expect(sorted(all.filter((n) => n !== undefined))).toEqual([-3, -2, -1, ...numbers]);
    const ticks = ticksIn(imported);
    const first = ticks[0] ?? 0;
    expect(ticks).toEqual(ticks.map((_, index) => first + index * 1_000));

    async function waiting(): Promise<number> {
      const { waiting, prioritized, delayed } = await queue.getJobCounts("waiting", "prioritized", "delayed");
      return (waiting ?? 0) + (prioritized ?? 0) + (delayed ?? 0);
    }
    async function leftOver(): Promise<number> {
      const { active, "waiting-children": parents } = await queue.getJobCounts("active", "waiting-children");
      return (
        (await waiting()) + (active ?? 0) + (parents ?? 0) + (await connection.hlen(key("holdfast:jobs")))
      );
    }
  });
});

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((one, other) => one - other);
}

/** The instant of a tick: of a scheduler's job by its id, of a schedule's by its key. */
function tickOf(text: string): number[] {
  const [, scheduler] = /repeat:every-second:(\d+)/.exec(text) ?? [];
  if (scheduler !== undefined) return [Number(scheduler)];
  const [, tick] = /^schedule:every-second:(.*)$/.exec(text) ?? [];
  return tick === undefined ? [] : [Date.parse(tick)];
}
