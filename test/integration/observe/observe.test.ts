import { fileURLToPath } from "node:url";
import { defineConfig, defineJob, defineSchedule, PermanentError } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Overview } from "../../../src/desk/overview/overview.ts";
import { openStream } from "../../support/event-stream.ts";
import { get, post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** An operator that only knows the queue. */
const fixture = fileURLToPath(new URL("../../support/fixtures/holdfast.config.ts", import.meta.url));

/** Its payload decides what it does. */
const orders = z.enum(["fail", "refuse", "succeed", "doubt", "hold"]);
const job = defineJob({
  type: "obeying",
  payload: z.strictObject({
    order: orders,
    made: z.int().optional(),
  }),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 1 } },
  timeoutMs: 30_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
let isHealed = false;
let letGo = () => {};
const held = new Promise<void>((resolve) => {
  letGo = resolve;
});
const handler = job.handler(async ({ payload: { order }, effect, log }) => {
  log.info(`asked to ${order}`);
  if (order === "hold") await held;
  if (order === "refuse" && !isHealed) throw new PermanentError("refused");
  if (order === "fail" && !isHealed) throw new Error("failed");
  if (order === "doubt")
    await effect("act", () => Promise.reject(Object.assign(new Error("lost"), { code: "EPIPE" })));
  return order;
});
let payloadsMade = 0;
const schedule = defineSchedule({
  name: "hourly",
  job,
  cron: "0 * * * *",
  timeZone: "Europe/Berlin",
  payload: () => {
    payloadsMade += 1;
    return { order: "succeed" as const, made: payloadsMade };
  },
});
const application = defineConfig({ jobs: [job], schedules: [schedule], handlers: async () => [handler] });

const parts: (() => Promise<void>)[] = [];
const service = createService(application, {}, (stop) => parts.push(stop));
let url: string;
let producer: Awaited<ReturnType<typeof service.createProducer>>;

beforeAll(async () => {
  ({ url } = await service.startApi());
  producer = await service.createProducer();
  await service.startWorker();
});
afterAll(async () => {
  letGo();
  for (const stop of parts) await stop();
});

type Order = z.output<typeof orders>;
let keys = 0;
async function submit(order: Order): Promise<string> {
  keys += 1;
  return (await producer.submit(job, { order }, { idempotencyKey: `key-${keys}` })).id;
}

describe("GET /overview", () => {
  it("shows what is waiting, done, failed and in doubt, and which worker runs what", async () => {
    const holding = await submit("hold");
    await untilState(producer, await submit("succeed"), "completed");
    await untilState(producer, await submit("refuse"), "failed");
    await untilState(producer, await submit("doubt"), "failed");

    const view = await until("the worker is seen at its job", async () => {
      const { body } = await get(`${url}/overview`);
      const overview = body as unknown as Overview;
      return overview.queues[0]?.inDoubt === 1 && overview.workers[0]?.holds.length === 1 && overview;
    });

    expect(view.queues).toMatchObject([
      { name: "default", active: 1, completed: 1, failed: 1, failedInDoubt: 1, isPaused: false },
    ]);
    expect(view.queues[0]?.oldestDoubtSince).not.toBeNull();
    expect(view.workers).toMatchObject([
      { queue: "default", isSilent: false, isStuck: false, holds: [{ jobId: holding }] },
    ]);
    expect(view.timeToStart.count).toBeGreaterThan(0);
    expect(view.store).toMatchObject({ durability: "disk", maxBytes: null });
    expect(view.store.guarantees.every(({ holds }) => holds)).toBe(true);
  });

  it("calls a worker stuck after the time that the worker itself reports", async () => {
    const { connect, createProducer, env, startApi } = createService(application);
    const [client, { url }, producer] = [connect(), await startApi(), await createProducer()];
    const beat = { startedAt: 0, concurrency: 1, running: 0, claimedAt: null, clockOffsetMs: 0 };
    for (const [name, stuckAfterMs] of [
      ["impatient", 1],
      ["willing-to-wait", 600_000],
    ] as const) {
      await client.hset(
        `${env.HOLDFAST_PREFIX}:{default}:workers`,
        name,
        JSON.stringify({ ...beat, stuckAfterMs }),
      );
      await client.zadd(`${env.HOLDFAST_PREFIX}:{default}:workers:seen`, Date.now(), name);
    }
    await producer.submit(job, { order: "succeed" }, { idempotencyKey: "waits" });

    const stuck = await until("one is stuck", async () => {
      const { workers } = (await get(`${url}/overview`)).body as unknown as Overview;
      const found = workers.filter(({ isStuck }) => isStuck).map(({ name }) => name);
      return found.length > 0 && found;
    });

    expect(stuck).toEqual(["impatient"]);
  });

  it("streams a view every two seconds, with the submission rate, and no point twice", async () => {
    const stream = await openStream(`${url}/overview`);
    const histories = () => stream.events.map(({ data }) => (data as unknown as Overview).history);
    await submit("succeed");
    await until("the history shows it", () =>
      histories()
        .flat()
        .some(({ submitted }) => submitted > 0),
    );
    await until("more has come", () => histories().length >= 3);

    expect(new Set(stream.events.map(({ event }) => event))).toEqual(new Set(["overview"]));
    const points = histories()
      .flat()
      .map(({ at }) => at);
    expect(points).toEqual([...new Set(points)].sort());
    const later = await openStream(`${url}/overview`);
    const [first] = await until("a view arrives", () => later.events.length > 0 && later.events);
    const { history } = first!.data as unknown as Overview;
    expect(history.length).toBeGreaterThanOrEqual(points.length);
  });

  it("counts streams as subscribers", async () => {
    const { url } = await createService(application, { HOLDFAST_SUBSCRIBERS_MAX: "1" }).startApi();
    const stream = await openStream(`${url}/overview`);

    const refused = await openStream(`${url}/overview`);
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "5"]);
    stream.close();
    await until("there is room again", async () => (await openStream(`${url}/overview`)).status === 200);
  });
});

describe("GET /jobs/:id", () => {
  it("shows the payload, each failed attempt with its worker, and the log", async () => {
    const id = await submit("fail");
    await untilState(producer, id, "failed");

    const { status, body } = await get(`${url}/jobs/${id}`);

    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      state: "failed",
      queue: "default",
      payload: { order: "fail" },
      crashes: 0,
      attempts: [
        { attempt: 1, code: "HANDLER_FAILED", message: "failed" },
        { attempt: 2, code: "HANDLER_FAILED", message: "failed" },
      ],
    });
    expect(body.logs).toHaveLength(2);
    expect(body.worker).toEqual((body.attempts as { worker: string }[])[0]?.worker);
  });

  it.each(["nothing", "default_01a20e19-a8cb-7a5b-9450-ed7a84f99c50", "..%2f..%2fmeta"])(
    "says that %s is no job",
    async (id) => {
      const { status, body } = await get(`${url}/jobs/${id}`);
      expect([status, body.code]).toEqual([404, "JOB_NOT_FOUND"]);
    },
  );
});

describe("failed jobs", () => {
  const groups = async () =>
    (await get(`${url}/failures`)).body.groups as { type: string; code: string; count: number }[];
  const countOf = async (code: string) => (await groups()).find((group) => group.code === code)?.count ?? 0;

  it("are grouped by type and reason, and retried by reason", async () => {
    const [refusedBefore, failedBefore] = [
      await countOf("PERMANENT_FAILURE"),
      await countOf("HANDLER_FAILED"),
    ];
    const ids = await Promise.all(Array.from({ length: 12 }, () => submit("refuse")));
    const others = await Promise.all(Array.from({ length: 3 }, () => submit("fail")));
    await Promise.all([...ids, ...others].map((id) => untilState(producer, id, "failed")));
    expect(await countOf("PERMANENT_FAILURE")).toBe(refusedBefore + 12);
    expect(await countOf("HANDLER_FAILED")).toBe(failedBefore + 3);

    isHealed = true;
    const filter = { type: "obeying", code: "PERMANENT_FAILURE" };
    const { body } = await post(`${url}/jobs/acts`, { act: "retry", filter, reason: "it is healed" });
    const act = await until("the act is done", async () => {
      const { body: read } = await get(`${url}/jobs/acts/${body.id}`);
      return read.state === "done" && read;
    });
    expect(act).toMatchObject({ done: refusedBefore + 12, skipped: 0, remaining: 0 });
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
    expect(await countOf("PERMANENT_FAILURE")).toBe(0);
    expect(await countOf("HANDLER_FAILED")).toBe(failedBefore + 3);
    isHealed = false;
  });

  it("are listed and retried from the command line, too", withProcesses, async () => {
    const ids = await Promise.all(Array.from({ length: 3 }, () => submit("refuse")));
    await Promise.all(ids.map((id) => untilState(producer, id, "failed")));
    const env = { ...service.env, HOLDFAST_CONFIG: fixture };
    const listed = await run(["failures", "list"], env);
    expect(listed.stdout).toMatch(/^jobs +type +code/);
    expect(listed.stdout).toMatch(/^\d+ +obeying +PERMANENT_FAILURE .*refused$/m);
    isHealed = true;
    const retried = await run(
      ["jobs", "retry", "--code", "PERMANENT_FAILURE", "--reason", "healed", "--yes"],
      env,
    );
    expect(retried.stdout).toMatch(/^(\d+) of \1 retried$/m);
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
    isHealed = false;
  });

  it("that failed after the given instant are skipped", async () => {
    const endedTo = new Date(Date.now() - 60_000).toISOString();
    await untilState(producer, await submit("refuse"), "failed");
    const { body } = await post(`${url}/jobs/acts`, { act: "retry", filter: { endedTo }, dryRun: true });
    expect(body).toMatchObject({ count: 0, nextCursor: null });
  });

  it.each([
    [{}, "/act"],
    [{ act: "retry", reason: "why" }, "/filter"],
    [{ act: "retry", all: false }, "/all"],
    [{ act: "retry", all: true, filter: { type: "obeying" }, reason: "why" }, "/all"],
    [{ act: "retry", filter: { state: "waiting" }, reason: "why" }, "/filter/state"],
    [{ act: "retry", filter: { queue: "absent" }, dryRun: true }, "/queue"],
    [{ act: "retry", all: true, before: "yesterday", dryRun: true }, "/before"],
    [{ act: "retry", all: true, cursor: "x", dryRun: true }, "/cursor"],
    [{ act: "retry", all: true, dryRun: false }, "/reason"],
    [{ act: "retry", all: true, reason: " " }, "/reason"],
    [{ act: "retry", all: true, reason: "why", rate: "quick" }, "/rate"],
  ])("refuses to act on %j", async (body, pointer) => {
    const answer = await post(`${url}/jobs/acts`, { ...body });
    expect([answer.status, answer.body.code]).toEqual([400, "INVALID_REQUEST"]);
    expect(JSON.stringify(answer.body.errors)).toContain(pointer);
  });
});

describe("GET /audit", () => {
  it("shows who resolved which doubt, on what evidence, the latest first", async () => {
    const id = await submit("doubt");
    await untilState(producer, id, "failed");
    const resolution = { as: "done", evidence: "seen in the mailbox" };
    await post(`${url}/jobs/${id}/effects/act/resolve`, resolution);
    const { body } = await get(`${url}/audit?limit=1`);
    expect(body.entries).toMatchObject([{ jobId: id, effect: "act", by: "API", ...resolution }]);
  });
});

describe("GET /jobs with times", () => {
  it("lists jobs submitted in between", async () => {
    const first = await submit("succeed");
    const { submittedAt } = await untilState(producer, first, "completed");
    const after = new Date(Date.parse(submittedAt) + 1).toISOString();
    const idsOf = async (query: string) =>
      ((await get(`${url}/jobs?state=completed&${query}`)).body.jobs as { id: string }[]).map(({ id }) => id);
    expect(await idsOf(`from=${submittedAt}`)).toContain(first);
    expect(await idsOf(`from=${after}`)).not.toContain(first);
    expect(await idsOf(`to=${submittedAt}`)).not.toContain(first);
  });
});

describe("a schedule", () => {
  it("runs now on request, once per request, whatever its payload then", async () => {
    const request = () => post(`${url}/schedules/hourly/run`, undefined, { "idempotency-key": "once" });
    const [first, second] = [await request(), await request()];
    expect([first.status, second.status]).toEqual([202, 200]);
    expect(second.body).toMatchObject({ id: first.body.id, duplicate: true });
    await untilState(producer, first.body.id, "completed");
    const third = await post(`${url}/schedules/hourly/run`, undefined);
    expect(third.body.id).not.toBe(first.body.id);
  });

  it("lists its past ticks, the latest first, and explains each", async () => {
    // The first look at a time zone lasts; on a busy machine, Redis's answer is late meanwhile.
    const { body } = await until("its ticks are read", async () => {
      const answer = await get(`${url}/schedules/hourly/ticks?limit=3`);
      return answer.status === 200 && answer;
    });
    const ticks = body.ticks as { at: string }[];
    expect(ticks).toHaveLength(3);
    expect(Date.parse(ticks[0]?.at ?? "")).toBeGreaterThan(Date.parse(ticks[1]?.at ?? ""));
    const explained = await get(`${url}/schedules/hourly/ticks/${ticks[0]?.at}`);
    expect(explained.body).toMatchObject({
      kind: "skipped",
      text: expect.stringMatching(/catch-up is none/),
    });
  });

  it.each([
    ["GET", "/schedules/none/ticks", 404, "SCHEDULE_NOT_FOUND"],
    ["GET", "/schedules/hourly/ticks/noon", 400, "INVALID_REQUEST"],
    ["GET", "/schedules/hourly/ticks?limit=0", 400, "INVALID_REQUEST"],
    ["POST", "/schedules/none/run", 404, "SCHEDULE_NOT_FOUND"],
  ])("answers %s %s with %i %s", async (method, path, status, code) => {
    const answer = method === "GET" ? await get(url + path) : await post(url + path, undefined);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});
