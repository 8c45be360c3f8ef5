import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { anyJob, application as echoes } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = anyJob();
const SLOTS = 8;
const OVER_MS = 6_000;
const JOBS = 60;

async function start() {
  const begun: { readonly at: number; readonly running: number }[] = [];
  let running = 0;
  const application = applicationOf(
    job.handler(async () => {
      running += 1;
      begun.push({ at: performance.now(), running });
      // A job's work.
      await new Promise((resolve) => setTimeout(resolve, 200));
      running -= 1;
      return null;
    }),
  );
  const service = createService(application, { HOLDFAST_CONCURRENCY: String(SLOTS) });
  const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
  const submit = async (key: string) => (await producer.submit(job, null, { idempotencyKey: key })).id;
  const client = service.connect();
  const stored = () => client.hget(`${service.env.HOLDFAST_PREFIX}:{default}:meta`, "ramp");
  return { service, producer, operator, submit, begun, stored };
}

const pause = { reason: "the provider is down", by: "ann" };

describe.concurrent("a queue that is resumed over a time", withProcesses, () => {
  it("starts slowly, by one at first, reaches full speed, and leaves nothing over", async () => {
    const { service, producer, operator, submit, begun, stored } = await start();
    await service.startWorker();
    await until("the worker is seen", async () => (await operator.queues.show("default")).workers === 1);
    await operator.queues.pause("default", pause);
    const ids = await Promise.all(Array.from({ length: JOBS }, (_, at) => submit(String(at))));
    const from = performance.now();
    const { ramp, paused } = await operator.queues.resume("default", { by: "ann", overMs: OVER_MS });
    expect({ ramp, paused }).toEqual({
      ramp: { since: expect.any(String), until: expect.any(String), slots: SLOTS },
      paused: null,
    });
    expect((await run(["queues", "list"], service.env)).stdout).toMatch(/ramping up, \d+ %, until 20/);
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));

    const tooMany = begun.filter(
      ({ at, running }) =>
        running > Math.min(SLOTS, Math.max(1, Math.floor((SLOTS * (at - from)) / OVER_MS))),
    );
    expect(tooMany).toEqual([]);
    expect(begun[0]?.running).toBe(1);
    expect(Math.max(...begun.map(({ running }) => running))).toBeGreaterThan(SLOTS / 3);
    await until("it is over", async () => (await operator.queues.show("default")).ramp === null);
    await until("a heartbeat has removed it", async () => (await stored()) === null);
  });

  it("is none where another tool has written something else, and counts no slots of a heartbeat that is none", async () => {
    const { service, producer, operator, submit, stored } = await start();
    const client = service.connect();
    const key = (of: string) => `${service.env.HOLDFAST_PREFIX}:{default}:${of}`;
    await service.startWorker();
    await until("the worker is seen", async () => (await operator.queues.show("default")).workers === 1);
    await operator.queues.pause("default", pause);
    const ids = await Promise.all([submit("a"), submit("b")]);
    await client.hset(key("workers"), "other:1", "7", "other:2", "{");
    await client.zadd(key("workers:seen"), Date.now() + 60_000, "other:1", Date.now() + 60_000, "other:2");

    const { ramp } = await operator.queues.resume("default", { by: "ann", overMs: 3_600_000 });
    expect(ramp?.slots).toBe(SLOTS);
    await client.hset(key("meta"), "ramp", "1 2 x");
    expect((await operator.queues.show("default")).ramp).toBeNull();
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
    await until("it is removed", async () => (await stored()) === null);
  });

  it("is ended by a pause, replaced by another resume, and refused for a time that is none, or for a type", async () => {
    const { service, operator, stored } = await start();
    const { url } = await service.startApi();
    const resume = (body: unknown) => call(`${url}/queues/default/resume`, "POST", body);
    expect((await resume({ over: "10m" })).body).toMatchObject({ ramp: { slots: 1 } });
    await resume({});
    expect(await stored()).toBeNull();
    await resume({});
    await resume({ expect: { pausedSince: null } });
    await operator.queues.pause("default", pause);
    expect(await stored()).toBeNull();
    await resume({ over: "1h" });
    await resume({ over: "24h" });
    expect(await stored()).toMatch(/ 86400000 1 1$/);
    await resume({});
    expect(await stored()).toBeNull();
    for (const over of ["0s", "25h", "10", "", "2d"]) expect((await resume({ over })).status).toBe(400);
    expect((await resume({ over: "1m", type: "any" })).status).toBe(400);
    const { code, stderr } = await run(["queues", "resume", "default", "--over", "2d"], service.env);
    expect([code, stderr]).toEqual([2, expect.stringContaining("1 s to 24 h")]);
    const entries = await operator.auditTrail(20);
    expect(entries.map(({ as, evidence }) => `${as}: ${evidence}`).toReversed()).toEqual([
      "resumed: over 10 min, it was not paused",
      "resumed: at full speed, it was not paused",
      "paused: the provider is down",
      "resumed: over 1 h",
      "resumed: over 1 d, it was not paused",
      "resumed: at full speed, it was not paused",
    ]);
  });

  it("counts the slots of workers that come, and no longer those of a worker that was told to be quiet", async () => {
    const service = createService(echoes, { HOLDFAST_CONCURRENCY: String(SLOTS) });
    const operator = await service.createOperator();
    const slots = async () => (await operator.queues.show("default")).ramp?.slots;
    const untilSlots = (count: number) =>
      until(`the ramp leads to ${count}`, async () => (await slots()) === count);
    await operator.queues.resume("default", { by: "ann", overMs: 3_600_000 });
    expect(await slots()).toBe(1);
    await service.startWorker();
    await untilSlots(SLOTS);
    const child = await launchRole("worker", service.env);
    await untilSlots(2 * SLOTS);
    await operator.workers.quiet(`${hostname()}:${child.pid}`, { reason: "its disk is full", by: "ann" });
    await untilSlots(SLOTS);
    await operator.queues.resume("default", { by: "ann", overMs: 3_600_000 });
    expect(await slots()).toBe(SLOTS);
    await operator.queues.limit("default", { concurrency: 3 }, "ann");
    await untilSlots(3);
  });

  it("gives each partition its share, also of workers that come later, and of a queue that is divided meanwhile", async () => {
    const service = createService(echoes, { HOLDFAST_CONCURRENCY: String(SLOTS) });
    const operator = await service.createOperator();
    const shown = async () => (await operator.queues.show("default")).ramp;
    await operator.queues.divide("default", 2);
    await operator.queues.resume("default", { by: "ann", overMs: 3_600_000 });
    const before = await shown();
    await operator.queues.divide("default", 4);
    expect(await shown()).toEqual({ ...before, slots: 4 });
    await service.startWorker();
    await until("each partition has two", async () => (await shown())?.slots === SLOTS);
    expect((await shown())?.since).toBe(before?.since);
  });
});
