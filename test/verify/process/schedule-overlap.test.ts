import { setTimeout as pause } from "node:timers/promises";
import {
  createOperator,
  defineConfig,
  defineJob,
  defineSchedule,
  type Operator,
  type Schedule,
  startScheduler,
} from "holdfast";
import { startWorker } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { readLayouts } from "../../../src/desk/queues/layouts.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { openOverlaps } from "../../../src/roles/schedules/overlap.ts";
import {
  explainTick,
  openScheduleReader,
  readPastTicks,
} from "../../../src/roles/schedules/read-schedule.ts";
import slowApplication, { slowSchedules } from "../../support/fixtures/overlap.config.ts";
import { latch } from "../../support/latch.ts";
import { launch, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { createService, type Service, testEnvironment, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const PARTITIONS = 4;

/** A schedule each second whose jobs run until the test lets them end. */
function stage(overlap: Schedule["overlap"], partitions?: number) {
  const gate = latch();
  const runs = { now: 0, most: 0, ended: 0 };
  const job = defineJob({
    type: "long",
    payload: z.strictObject({ at: z.iso.datetime() }),
    result: z.null(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 60_000,
  });
  const handler = job.handler(async () => {
    runs.now += 1;
    runs.most = Math.max(runs.most, runs.now);
    await gate.opened;
    runs.now -= 1;
    runs.ended += 1;
    return null;
  });
  const schedule = defineSchedule({
    name: "long",
    everyMs: 1_000,
    job,
    payload: ({ at }) => ({ at: at.toISOString() }),
    overlap,
  });
  const application = defineConfig({
    jobs: [job],
    handlers: async () => [handler],
    schedules: [schedule],
    ...(partitions !== undefined && { queues: { default: { partitions } } }),
  });
  const service = createService(application);
  const schedulers = async (count: number) => {
    const started = await Promise.all(
      Array.from({ length: count }, () => startScheduler(application, service.env)),
    );
    for (const scheduler of started) onTestFinished(() => scheduler.stop());
  };
  return { gate, runs, schedule, service, schedulers, ...readersOf(service) };
}

function readersOf(service: Service) {
  const settings = readSettings(service.env);
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs } = settings;
  return {
    async reader() {
      const client = service.connect();
      const layouts = await readLayouts(client, prefix, ["default"]);
      return openScheduleReader(
        openQueueStores({ client, codec: createCodec([]) }, prefix, layouts),
        settings,
      );
    },
    openOverlaps: () => openOverlaps(plainStores(service.connect(), prefix), prefix, retentionMs),
  };
}

type Reader = ReturnType<typeof openScheduleReader>;

/** The past ticks that met a job, by what became of them; the earliest first. */
async function met(reader: Reader, schedule: Schedule) {
  const ticks = (await readPastTicks(reader, schedule, 30)).reverse();
  return {
    skipped: ticks.filter(({ overlap }) => overlap?.startsWith("skipped: the job of ")),
    waiting: ticks.filter(({ overlap }) => overlap?.startsWith("it waits for the job of ")),
    ran: ticks.filter(({ jobId }) => jobId !== null),
  };
}

// Ticks come each second: all wait for theirs together.
describe.concurrent("three schedulers and a job that does not end", () => {
  it("skip further ticks, also where each job is in another partition, which stay skipped when it has ended", async () => {
    const { service, schedule, schedulers, runs, gate, ...open } = stage("skip", PARTITIONS);
    await service.startWorker();
    await schedulers(3);
    const reader = await open.reader();
    const { skipped, ran } = await until("two ticks are skipped", async () => {
      const found = await met(reader, schedule);
      return found.skipped.length >= 2 && found;
    });
    expect(ran).toHaveLength(1);
    expect(skipped[0]?.overlap).toBe(`skipped: the job of ${ran[0]?.at} was still running`);
    gate.open();
    await until("further ticks run", () => runs.ended >= 3);

    expect(runs.most).toBe(1);
    for (const { at } of skipped)
      expect(await explainTick(reader, schedule, Date.parse(at))).toEqual({
        kind: "skipped",
        why: `the job of ${ran[0]?.at} was still running`,
      });
    const jobs = await jobsOf(service);
    expect(new Set(jobs).size).toBe(jobs.length);
  });

  it("queue one tick behind it, and skip further ones", async () => {
    const { service, schedule, schedulers, runs, gate, ...open } = stage("queue-one");
    await service.startWorker();
    await schedulers(3);
    const reader = await open.reader();
    const { waiting, skipped, ran } = await until("two ticks are skipped", async () => {
      const found = await met(reader, schedule);
      return found.skipped.length >= 2 && found;
    });
    expect([ran.length, waiting.length]).toEqual([1, 1]);
    const queued = Date.parse(waiting[0]?.at ?? "");
    expect(queued).toBeLessThan(Date.parse(skipped[0]?.at ?? ""));
    expect(await explainTick(reader, schedule, queued)).toMatchObject({
      kind: "awaited",
      why: `it waits for the job of ${ran[0]?.at} to end`,
    });
    gate.open();
    await until("further ticks run", () => runs.ended >= 3);

    expect(await explainTick(reader, schedule, queued)).toMatchObject({ jobId: expect.any(String) });
    expect(runs.most).toBe(1);
  });
});

/** The idempotency keys of all jobs. */
async function jobsOf(service: Service): Promise<string[]> {
  const names = Array.from({ length: PARTITIONS }, (_, index) =>
    index === 0 ? "default" : `default.${index}`,
  );
  const jobs = await Promise.all(names.map((name) => service.openBareQueue(name).getJobs()));
  return jobs.flat().map(({ data }) => data.key as string);
}

describe.concurrent("a tick of a schedule that skips", () => {
  const at = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;

  it("is decided once, however many schedulers ask, and not again when the job has ended since", async () => {
    const { service, schedule, gate, ...open } = stage("skip");
    const overlaps = Array.from({ length: 8 }, open.openOverlaps);
    const decide = async (tick: number) =>
      (await Promise.all(overlaps.map((each) => each.decide(schedule, tick)))).map(
        ({ decision }) => decision,
      );
    const producer = await service.createProducer();
    expect(new Set(await decide(at))).toEqual(new Set(["run"]));
    // Whoever asks about the next tick learns that the first one's job is to be submitted before.
    expect(new Set(await decide(at + 1_000))).toEqual(new Set(["unsubmitted"]));
    const id = await waitingJob(service, schedule, at);
    await overlaps[0]?.noteJob(schedule, at, id);
    expect((await decide(at + 1_000)).sort()).toEqual([...Array(7).fill("decided"), "skipped"]);

    gate.open();
    await service.startWorker();
    await until("the job has ended", async () => (await producer.status(id))?.state === "completed");
    expect(new Set(await decide(at + 1_000))).toEqual(new Set(["decided"]));
    expect(new Set(await decide(at + 2_000))).toEqual(new Set(["run"]));
  });

  it("is submitted by another scheduler if the one that decided it died before", async () => {
    const { service, schedule, schedulers, gate, runs, ...open } = stage("skip");
    await open.openOverlaps().decide(schedule, at);
    gate.open();
    await service.startWorker();
    await schedulers(1);
    await until("that tick and a further one ran", () => runs.ended >= 2);
    const reader = await open.reader();
    expect(await explainTick(reader, schedule, at)).toMatchObject({ kind: "caught-up" });
    expect(await explainTick(reader, schedule, at + 1_000)).toMatchObject({ kind: "skipped" });
  });

  it("is explained as long as it is among the latest hundred skips; nothing is kept without end", async () => {
    const { service, schedule, ...open } = stage("skip");
    const overlaps = open.openOverlaps();
    const client = service.connect();
    const key = `${service.env.HOLDFAST_PREFIX}:schedule-overlap:long`;
    const former = Array.from({ length: 150 }, (_, index) => `${at - index * 1_000}:1`);
    await client.hset(key, "skips", `${former.join(" ")} `);
    await client.hset(key, { running: at, job: await waitingJob(service, schedule, at) });

    expect(await overlaps.decide(schedule, at + 1_000)).toMatchObject({ decision: "skipped", running: at });
    const skips = (await client.hget(key, "skips"))?.trim().split(" ");
    expect(skips).toEqual([`${at + 1_000}:${at}`, ...former.slice(0, 99)]);
    expect(await client.pttl(key)).toBe(-1);
    await overlaps.drop(schedule, at);
    expect(await client.pttl(key)).toBeGreaterThan(0);
  });
});

async function waitingJob(service: Service, { job, payload }: Schedule, at: number): Promise<string> {
  const producer = await service.createProducer();
  const { id } = await producer.submit(job as never, payload({ at: new Date(at) }) as never, {
    idempotencyKey: "waiting",
  });
  return id;
}

describe.concurrent("schedulers that are killed at random moments", () => {
  it(`let no two jobs of a schedule overlap, and give no tick two jobs`, withProcesses, async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: "test/support/fixtures/overlap.config.ts" };
    await using operator = await createOperator(slowApplication, env);
    const worker = await startWorker(slowApplication, env);
    onTestFinished(() => worker.stop());
    const random = createRandom(1);
    const deadline = Date.now() + 6_000;
    await Promise.all(["a", "b", "c"].map((name) => dieAgainAndAgain(env, random.fork(name), deadline)));

    for (const schedule of slowSchedules) {
      const runs = await until(`${schedule.name} ran three times`, async () => {
        const found = await runsOf(operator, schedule);
        return found.length >= 3 && found;
      });
      const overlapping = runs.filter(
        ({ startedAt }, index) => startedAt < (runs[index - 1]?.finishedAt ?? 0),
      );
      expect(overlapping).toEqual([]);
      expect(new Set(runs.map(({ key }) => key)).size).toBe(runs.length);
    }
  });
});

/** Runs one scheduler after another, the last one until the end. */
async function dieAgainAndAgain(env: Variables, random: Random, deadline: number): Promise<void> {
  for (;;) {
    const scheduler = launch(["scheduler"], env);
    const lifeMs = random.between(1_000, 3_000);
    if (Date.now() + lifeMs > deadline) return;
    // Random moments are the point, so nothing is waited for.
    await pause(lifeMs);
    scheduler.kill("SIGKILL");
    await scheduler.ended;
  }
}

/** The completed jobs of a schedule, the earliest first. */
async function runsOf(operator: Operator, { name }: Schedule) {
  const { jobs } = await operator.list({ state: "completed", limit: 200 });
  return jobs
    .filter(({ idempotencyKey }) => idempotencyKey.startsWith(`schedule:${name}:`))
    .map(({ idempotencyKey: key, startedAt, finishedAt }) => ({
      key,
      startedAt: Date.parse(startedAt ?? ""),
      finishedAt: Date.parse(finishedAt ?? ""),
    }))
    .sort((a, b) => a.startedAt - b.startedAt);
}
