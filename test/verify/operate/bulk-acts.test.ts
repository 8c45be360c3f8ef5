import { spawn } from "node:child_process";
import { createOperator, defineConfig, type Operator } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import type { JobFilter } from "../../../src/desk/jobs/job-filter.ts";
import { retryJob } from "../../../src/desk/jobs/retry-job.ts";
import type { Overview } from "../../../src/desk/overview/overview.ts";
import { anyJob, application, echo } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { addFailedCopies } from "../../support/job-copies.ts";
import { latch } from "../../support/latch.ts";
import { BIN, CONFIG, launchRole, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const FAILED = 12;
const CANCELLED = 5;
const IN_DOUBT = 3;

/** Failed, cancelled and in-doubt jobs of a queue that is paused, so retried jobs keep waiting. A worker runs the acts. */
async function failures() {
  const service = createService(application);
  const producer = await service.createProducer();
  const operator = await service.createOperator();
  const submit = async (key: string) => (await producer.submit(echo, 1, { idempotencyKey: key })).id;
  const store = service.connect();
  const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
  await operator.queues.pause("default", { reason: "a test", by: "test" });
  let templates = 0;
  const fail = async (count: number, reason: string) => {
    templates += 1;
    await addFailedCopies(store, start, await submit(reason), { count, every: 1, reason });
    // The copies end up to 5 ms after their place in the list.
    const addedAt = Date.now();
    await until("all copies have ended", () => Date.now() > addedAt + 10);
  };
  await fail(FAILED, "HANDLER_FAILED: it broke");
  await fail(IN_DOUBT, "EFFECT_IN_DOUBT: nobody knows");
  for (let at = 0; at < CANCELLED; at += 1) await operator.cancel(await submit(`cancelled-${at}`));
  const waiting = async () => (await store.llen(`${start}wait`)) + (await store.llen(`${start}paused`));
  return {
    service,
    operator,
    store,
    start,
    fail,
    retried: async () => (await waiting()) - templates,
    /** The number of failed jobs by code, and of waiting ones. */
    async left() {
      const { groups } = await operator.failures();
      const counts = Object.fromEntries(groups.map(({ code, count }) => [code, count]));
      return { ...counts, retried: (await waiting()) - templates };
    },
  };
}

const untouched = {
  HANDLER_FAILED: FAILED,
  CANCELLED,
  EFFECT_IN_DOUBT: IN_DOUBT,
  retried: 0,
};
const reason = "the shop is back";

async function ended(operator: Operator, id: string) {
  return await until(`act ${id} has ended`, async () => {
    const act = await operator.acts.read(id);
    return act.endedAt !== null && act;
  });
}

describe("an act over HTTP", withProcesses, () => {
  it("on everything skips cancelled jobs and jobs in doubt, as a dry run announces", async () => {
    const { service, operator, left } = await failures();
    const { url } = await service.startApi();
    const ask = async (body: object) => await post(`${url}/jobs/acts`, { act: "retry", ...body });

    const { body: preview } = await ask({ all: true, dryRun: true });
    expect(preview).toMatchObject({
      count: FAILED,
      matching: [{ type: "echo", code: "HANDLER_FAILED", count: FAILED }],
      leftAlone: CANCELLED + IN_DOUBT,
      nextCursor: null,
    });
    expect(JSON.stringify(preview.matching)).toMatch(
      /"exampleIds":\["default_.+","default_.+","default_.+"\]/,
    );
    expect(await left()).toEqual(untouched);

    const { status, body } = await ask({ all: true, reason });
    expect(status).toBe(202);
    await service.startWorker();
    const act = await ended(operator, String(body.id));
    expect(act).toMatchObject({
      state: "done",
      total: FAILED,
      done: FAILED,
      skipped: 0,
      remaining: 0,
      by: "API",
    });
    expect(await left()).toEqual({ CANCELLED, EFFECT_IN_DOUBT: IN_DOUBT, retried: FAILED });
    expect((await get(`${url}/audit?actId=${act.id}`)).body.entries as unknown[]).toMatchObject([
      { jobId: act.id, as: "retry-done", by: "API", evidence: `jobs (12 of 12 done, 0 skipped): ${reason}` },
      { jobId: act.id, as: "retry-started", evidence: `jobs: ${reason}` },
    ]);
    expect((await get(`${url}/jobs/acts`)).body.acts).toMatchObject([{ id: act.id }]);
  });

  it("by type skips them, too; by their code it retries them", async () => {
    const { service, operator, left } = await failures();
    await service.startWorker();
    const retry = async (filter: JobFilter) =>
      await ended(operator, (await operator.acts.start({ act: "retry", filter, reason }, "ann")).id);

    expect(await retry({ type: "echo" })).toMatchObject({ done: FAILED });
    expect(await retry({ code: "CANCELLED" })).toMatchObject({ done: CANCELLED });
    expect(await retry({ type: "echo", code: "EFFECT_IN_DOUBT" })).toMatchObject({ done: IN_DOUBT });
    expect(await left()).toEqual({ retried: FAILED + CANCELLED + IN_DOUBT });
  });

  it("without a filter is refused, and nothing is retried", async () => {
    const { service, operator, left } = await failures();
    const { url } = await service.startApi();

    for (const body of [{ reason }, { dryRun: true }, { reason, all: true, filter: { code: "CANCELLED" } }]) {
      const answer = await post(`${url}/jobs/acts`, { act: "retry", ...body });
      expect([answer.status, answer.body.code]).toEqual([400, "INVALID_REQUEST"]);
    }
    await expect(operator.acts.start({ act: "retry", filter: {}, reason }, "ann")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      issues: [{ pointer: "/filter", message: expect.stringMatching(/"all": true/) }],
    });
    expect(await left()).toEqual(untouched);
  });

  it("uses Redis's clock if the caller's is ahead", async () => {
    const { service } = await failures();
    const { url } = await service.startApi();
    const request = { act: "retry", all: true, dryRun: true, before: "2099-01-01T00:00:00Z" };
    const { body } = await post(`${url}/jobs/acts`, request);
    expect(Date.parse(String(body.before))).toBeLessThanOrEqual(Date.now() + 1_000);
  });
});

describe("holdfast jobs retry", withProcesses, () => {
  it("without a filter, or without a terminal to confirm in, is wrong usage and changes nothing", async () => {
    const { service, left } = await failures();
    const retry = (...args: string[]) => run(["jobs", "retry", ...args], service.env);

    const [bare, contradictory, unasked, unexplained] = await Promise.all([
      retry("--reason", reason, "--yes"),
      retry("--all", "--code", "CANCELLED", "--reason", reason, "--yes"),
      retry("--all", "--reason", reason),
      retry("--all", "--yes"),
    ]);

    expect(bare).toMatchObject({ code: 2, stderr: expect.stringMatching(/--type .*--code .*--all/) });
    expect(contradictory).toMatchObject({ code: 2, stderr: expect.stringMatching(/--all without/) });
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringMatching(/--yes/) });
    expect(unexplained).toMatchObject({ code: 2, stderr: expect.stringMatching(/--reason/) });
    expect(await left()).toEqual(untouched);
  });

  it("--dry-run prints what would be retried and changes nothing; --yes retries it", async () => {
    const { service, left } = await failures();
    const retry = (...args: string[]) => run(["jobs", "retry", "--all", ...args], service.env);

    const dry = await retry("--dry-run");
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/^12 +echo +HANDLER_FAILED +default_\S+ default_\S+ default_\S+$/m);
    expect(dry.stdout).toMatch(/^12 jobs to retry$/m);
    expect(dry.stdout).toMatch(/^\(8 jobs that were cancelled or are in doubt stay as they are/m);
    expect(await left()).toEqual(untouched);

    await service.startWorker();
    const done = await retry("--yes", "--reason", reason);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^12 of 12 retried$/m) });
    expect(await left()).toEqual({ CANCELLED, EFFECT_IN_DOUBT: IN_DOUBT, retried: FAILED });
  });

  it("shows the count in a terminal and asks; only a yes retries", async () => {
    const { service, left } = await failures();
    await service.startWorker();
    const ask = (answer: string) =>
      onTerminal(["jobs", "retry", "--code", "HANDLER_FAILED", "--reason", "why"], service.env, answer);

    for (const no of ["n\n", "\n", "\u0004"]) {
      const asked = await ask(no);
      expect(asked.output).toMatch(/Retry 12 jobs\? \(y\/N\)/);
      expect(asked.code).toBe(1);
    }
    expect(await left()).toEqual(untouched);

    expect((await ask("y\n")).output).toMatch(/12 of 12 retried/);
    expect(await left()).toMatchObject({ CANCELLED, retried: FAILED });
  });
});

/** Runs a command in a terminal, and answers its question. */
async function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv, answer: string) {
  const command = [process.execPath, BIN, ...args];
  const line = command.map((word) => `'${word}'`).join(" ");
  const script =
    process.platform === "darwin" ? ["-q", "/dev/null", ...command] : ["-qec", line, "/dev/null"];
  const terminal = spawn("script", script, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HOLDFAST_CONFIG: CONFIG, TERM: "dumb", ...env },
  });
  onTestFinished(() => void terminal.kill("SIGKILL"));
  let seen = "";
  terminal.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (!seen.includes("(y/N)") && (seen + chunk).includes("(y/N)")) terminal.stdin.write(answer);
    seen += chunk;
  });
  const code = await new Promise<number | null>((resolve) => terminal.once("close", resolve));
  return { code, output: seen.replaceAll("\r", "") };
}

const MANY = 200;

describe("an act", withProcesses, () => {
  it("goes on where it was, each job once, when its worker is killed in the middle", async () => {
    const { service, operator, fail, retried } = await failures();
    await fail(MANY, "PERMANENT_FAILURE: it broke");
    const env = { ...service.env, HOLDFAST_LOCK_MS: "1000" };
    const filter = { code: "PERMANENT_FAILURE" } as const;
    const { id } = await operator.acts.start({ act: "retry", filter, reason, rate: "100/s" }, "ann");
    const first = await launchRole("worker", env);
    await until("some are retried", async () => (await retried()) >= 30);
    first.kill("SIGKILL");
    await first.ended;
    expect(await retried()).toBeLessThan(MANY);
    await launchRole("worker", env);

    const act = await ended(operator, id);
    expect(act).toMatchObject({ state: "done", total: MANY, done: MANY, skipped: 0, remaining: 0 });
    expect(await retried()).toBe(MANY);
  });

  it("stops at once, knows exactly what it has done, and is written down", async () => {
    const { service, operator, fail, retried } = await failures();
    await fail(MANY, "PERMANENT_FAILURE: it broke");
    await service.startWorker();
    const filter = { code: "PERMANENT_FAILURE" } as const;
    const { id } = await operator.acts.start({ act: "retry", filter, reason, rate: "40/s" }, "ann");
    await until("some are retried", async () => (await retried()) > 0);
    await operator.acts.stop(id);

    const { state, done, remaining } = await ended(operator, id);
    expect(state).toBe("stopped");
    expect(done).toBeLessThan(MANY);
    expect([done, remaining]).toEqual([await retried(), MANY - (await retried())]);
    expect(await operator.auditTrail(1)).toMatchObject([
      {
        jobId: id,
        as: "retry-stopped",
        by: "ann",
        evidence: `jobs that failed with PERMANENT_FAILURE (${done} of ${MANY} done, 0 skipped): ${reason}`,
      },
    ]);
    await expect(operator.acts.stop(id)).rejects.toMatchObject({ code: "JOB_ENDED" });
  });

  it("that no worker has begun can be stopped, too", async () => {
    const { operator, retried } = await failures();
    const { id } = await operator.acts.start({ act: "retry", filter: {}, all: true, reason }, "ann");
    expect(await operator.acts.stop(id)).toMatchObject({ state: "stopped", done: 0 });
    expect(await operator.auditTrail(1)).toMatchObject([{ jobId: id, as: "retry-stopped" }]);
    expect(await retried()).toBe(0);
  });

  it("shares its jobs with another one at the same time: each is retried once", async () => {
    const { service, operator, fail, retried } = await failures();
    await fail(MANY, "PERMANENT_FAILURE: it broke");
    const filter = { code: "PERMANENT_FAILURE" } as const;
    const start = async () => await operator.acts.start({ act: "retry", filter, reason }, "ann");
    const both = [await start(), await start()];
    await service.startWorker();

    const acts = await Promise.all(both.map(({ id }) => ended(operator, id)));
    expect(acts.reduce((sum, { done }) => sum + done, 0)).toBe(MANY);
    expect(await retried()).toBe(MANY);
  });

  it("keeps to its rate, the oldest failure first", async () => {
    const { service, operator, fail, store, start } = await failures();
    await fail(60, "PERMANENT_FAILURE: it broke");
    const oldest = await store.zrange(`${start}failed`, "0", "-1");
    await service.startWorker();
    const filter = { code: "PERMANENT_FAILURE" } as const;
    const startedAt = performance.now();
    const { id } = await operator.acts.start({ act: "retry", filter, reason, rate: "30/s" }, "ann");
    await ended(operator, id);
    expect(performance.now() - startedAt).toBeGreaterThan(1_500);
    const waiting = [
      ...(await store.lrange(`${start}paused`, 0, -1)),
      ...(await store.lrange(`${start}wait`, 0, -1)),
    ];
    const order = waiting.reverse().filter((each) => oldest.includes(each));
    expect(order).toEqual(oldest.filter((each) => order.includes(each)));
  });

  it("leaves jobs alone that fail again, or are submitted, after it began", async () => {
    const failing = anyJob({
      type: "failing",
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    });
    const runs = new Map<string, number>();
    const handler = failing.handler(async ({ jobId }) => {
      runs.set(jobId, (runs.get(jobId) ?? 0) + 1);
      throw new Error("it broke");
    });
    const own = applicationOf(handler);
    const service = createService(own);
    await using operator = await createOperator(own, service.env);
    const producer = await service.createProducer();
    await producer.submitMany(
      failing,
      keys(50).map((idempotencyKey) => ({ payload: 1, idempotencyKey })),
    );
    await service.startWorker();
    await until("all have failed", async () => (await operator.failures()).scanned === 50);
    const { id } = await operator.acts.start(
      { act: "retry", filter: {}, all: true, reason, rate: "200/s" },
      "ann",
    );
    expect(await ended(operator, id)).toMatchObject({ done: 50, skipped: 0 });
    await until("all have failed again", async () => (await operator.failures()).scanned === 50);
    expect([...runs.values()]).toEqual(Array(50).fill(2));

    // A retry alone does not help a running act that jobs end meanwhile.
    const { id: deleting } = await operator.acts.start(
      { act: "delete", filter: { type: "failing" }, reason },
      "ann",
    );
    expect(await ended(operator, deleting)).toMatchObject({ state: "done", total: 50, done: 50, skipped: 0 });
    expect((await operator.failures()).scanned).toBe(0);
    const again = await producer.submit(failing, 1, { idempotencyKey: keys(1)[0] ?? "" });
    expect(again.duplicate).toBe(true);
  });

  it("cancels what waits, while workers run some of it", async () => {
    const running = latch();
    const work = anyJob({ type: "work" });
    const own = applicationOf(
      work.handler(async ({ signal }) => {
        signal.throwIfAborted();
        await running.opened;
        return null;
      }),
    );
    const service = createService(own, { HOLDFAST_CONCURRENCY: "4" });
    await using operator = await createOperator(own, service.env);
    const producer = await service.createProducer();
    await producer.submitMany(
      work,
      keys(100).map((idempotencyKey) => ({ payload: 1, idempotencyKey })),
    );
    await service.startWorker();
    const { id } = await operator.acts.start(
      { act: "cancel", filter: { type: "work" }, reason, rate: "200/s" },
      "ann",
    );
    await until("some are cancelled", async () => (await operator.acts.read(id)).done > 10);
    running.open();
    const act = await ended(operator, id);
    const all = await until("all jobs have ended", async () => {
      const { jobs } = await operator.list({ type: "work", limit: 200 });
      return jobs.every(({ state }) => state === "completed" || state === "failed") && jobs;
    });
    const cancelled = all.filter(({ error }) => error?.code === "CANCELLED").length;
    expect(all).toHaveLength(100);
    expect(act).toMatchObject({ state: "done", total: 100, remaining: 0 });
    expect(act.done).toBeGreaterThanOrEqual(cancelled);
    expect(cancelled).toBeGreaterThan(10);
  });
});

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `key-${at}`);
}

describe("a preview", () => {
  it("counts all jobs, or ends with the first that it finds where that is enough", async () => {
    const { operator, fail } = await failures();
    await fail(600, "HANDLER_FAILED: the shop is away");
    const scope = { act: "retry", filter: { code: "HANDLER_FAILED" } } as const;

    const whole = await operator.acts.preview(scope);
    const brief = await operator.acts.preview({ ...scope, isBrief: true });

    expect([whole.matching[0]?.count, whole.nextCursor]).toEqual([FAILED + 600, null]);
    expect(brief.matching[0]?.count).toBeLessThanOrEqual(500);
    expect(brief.nextCursor).not.toBeNull();
  });
});

it("refuses an application with a queue of the name that its own jobs have", () => {
  const job = anyJob({ type: "mine", queue: "holdfast" });
  expect(() => defineConfig({ jobs: [job] })).toThrow(/queue "holdfast": Holdfast has that name for itself/);
});

describe("a job selected for a bulk retry", () => {
  it("is skipped if it was cancelled before its turn", async () => {
    const { service, operator } = await failures();
    const { jobs } = await operator.list({ state: "failed", code: "CANCELLED", limit: 1 });
    const [id = ""] = jobs.map((job) => job.id);
    const store = plainStores(service.connect(), service.env.HOLDFAST_PREFIX).of("default");

    expect(await retryJob(store, id, { reason: "HANDLER_FAILED: it broke" })).toBe("not-failed");
    expect(await retryJob(store, id, { reason: "CANCELLED: Cancelled by an operator" })).toBe("retried");
  });
});

describe("cancelled jobs", withProcesses, () => {
  it("are grouped last, and counted separately from failures", async () => {
    const { service, operator } = await failures();
    const { groups } = await operator.failures();
    expect(groups.map(({ code }) => code)).toEqual(["HANDLER_FAILED", "EFFECT_IN_DOUBT", "CANCELLED"]);

    const { url } = await service.startApi();
    const { queues } = (await get(`${url}/overview`)).body as unknown as Overview;
    expect(queues).toMatchObject([{ failed: FAILED, cancelled: CANCELLED, failedInDoubt: IN_DOUBT }]);
  });
});
