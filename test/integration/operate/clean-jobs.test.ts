import { fileURLToPath } from "node:url";
import { defineConfig, defineJob, type Operator, type Producer } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { deleteJob } from "../../../src/desk/jobs/delete-job.ts";
import { call } from "../../support/http.ts";
import { addFailedCopies } from "../../support/job-copies.ts";
import { launch, runProcess, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const JUMPING_CLOCK = fileURLToPath(new URL("../../support/fixtures/jumping-clock.mjs", import.meta.url));

let effectRuns = 0;

const payload = z.strictObject({ end: z.enum(["complete", "fail", "doubt", "wait"]) });

/** Acts once, and does as its payload says. */
const acting = defineJob({
  type: "acting",
  payload,
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 60_000,
  effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
});
const application = defineConfig({
  jobs: [acting],
  handlers: async () => [
    acting.handler(async ({ payload: { end }, effect, signal }) => {
      await effect("act", async () => {
        effectRuns += 1;
        if (end === "doubt") throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      });
      if (end === "fail") throw new Error("on request");
      if (end === "wait") await new Promise((_, reject) => signal.addEventListener("abort", reject));
      return "done";
    }),
  ],
});

const service = createService(application, { HOLDFAST_LOCK_MS: "1000" }, afterAll);
const redis = service.connect();
let producer: Producer;
let operator: Operator;
let url: string;

beforeAll(async () => {
  producer = await service.createProducer();
  operator = await service.createOperator();
  ({ url } = await service.startApi());
  await service.startWorker();
});

type End = z.output<typeof payload>["end"];

async function submit(key: string, end: End, delayMs = 0): Promise<string> {
  return (await producer.submit(acting, { end }, { idempotencyKey: key, delayMs })).id;
}

async function ended(key: string, end: End): Promise<string> {
  const id = await submit(key, end);
  await untilState(producer, id, "completed", "failed");
  return id;
}

describe("a deleted job", () => {
  it("is gone with all that BullMQ keeps of it; its key and its effect are remembered", async () => {
    const id = await ended("kept-key", "complete");
    const runs = effectRuns;
    await operator.delete(id, "tests");

    expect(await producer.status(id)).toBeUndefined();
    expect(await redis.keys(`${queueKey(service.env.HOLDFAST_PREFIX, "default", id)}*`)).toEqual([]);
    const again = await producer.submit(acting, { end: "complete" }, { idempotencyKey: "kept-key" });
    expect(again).toMatchObject({ id, duplicate: true });
    expect(await producer.status(id)).toBeUndefined();
    expect(effectRuns).toBe(runs);
    const [entry] = await operator.auditTrail(1);
    expect(entry).toMatchObject({ jobId: id, as: "deleted", by: "tests" });
  });

  it("was not active, delayed or unknown: those are refused", async () => {
    const running = await submit("running", "wait");
    await untilState(producer, running, "active");
    const delayed = await submit("delayed", "complete", 3_600_000);
    const notEnded = { code: "JOB_NOT_ENDED" };
    await expect(operator.delete(running, "tests")).rejects.toMatchObject(notEnded);
    await expect(operator.delete(delayed, "tests")).rejects.toMatchObject(notEnded);
    await expect(operator.delete("default_none", "tests")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
    await operator.cancel(running);
    await untilState(producer, running, "failed");
    await operator.delete(running, "tests");
    expect(await producer.status(running)).toBeUndefined();
  });

  it("is not in doubt: that must be resolved first", async () => {
    const id = await ended("doubted", "doubt");
    expect(await producer.status(id)).toMatchObject({ error: { code: "EFFECT_IN_DOUBT" } });
    await expect(operator.delete(id, "tests")).rejects.toMatchObject({ code: "JOB_IN_DOUBT" });
    // Whatever its failure says, the ledger knows.
    const job = queueKey(service.env.HOLDFAST_PREFIX, "default", id);
    await redis.hset(job, "failedReason", "HANDLER_FAILED: written by hand");
    await expect(operator.delete(id, "tests")).rejects.toMatchObject({ code: "JOB_IN_DOUBT" });

    await redis.hset(job, "failedReason", "EFFECT_IN_DOUBT: as before");
    await operator.resolve(id, "act", { as: "done", evidence: "seen", by: "tests" });
    await untilState(producer, id, "completed");
    await operator.delete(id, "tests");
    expect(await operator.doubts(0, 10)).toEqual([]);
  });

  it("is the one that was meant: a job that has ended anew in between is kept", async () => {
    const id = await ended("anew", "fail");
    const first = Date.parse((await producer.status(id))?.finishedAt ?? "");
    await operator.retry(id);
    const endedAgain = await until("it has failed again", async () => {
      const { state, finishedAt } = (await producer.status(id)) ?? {};
      return state === "failed" && Date.parse(finishedAt ?? "") !== first && finishedAt;
    });
    const store = plainStores(redis, service.env.HOLDFAST_PREFIX).of("default");
    expect(await deleteJob(store, id, { endedBefore: first + 1 })).toBe("not-ended");
    expect(await deleteJob(store, id, { state: "completed" })).toBe("not-ended");
    expect(await deleteJob(store, id, { state: "failed", endedBefore: Date.parse(endedAgain) + 1 })).toBe(
      "deleted",
    );
    expect(await deleteJob(store, id)).toBe("missing");
  });

  it("can be deleted over HTTP, once", async () => {
    const id = await ended("http", "complete");
    const why = `?reason=${encodeURIComponent("asked to by the customer")}`;
    expect(await call(`${url}/jobs/${id}${why}`, "DELETE")).toMatchObject({
      status: 200,
      body: { id, outcome: "deleted" },
    });
    const [entry] = await operator.auditTrail(1);
    expect(entry).toMatchObject({ as: "deleted", jobId: id, evidence: "asked to by the customer" });
    expect(await call(`${url}/jobs/${id}?why=x`, "DELETE")).toMatchObject({ status: 400 });
    expect(await call(`${url}/jobs/${id}`, "DELETE")).toMatchObject({ status: 404 });
  });
});

/** Ended copies of jobs, without running them. */
async function failedCopies(count: number): Promise<string> {
  const id = await ended(`copied-${count}`, "fail");
  const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
  await addFailedCopies(redis, start, id, { count, every: 10, reason: "PERMANENT_FAILURE: Disk is full" });
  return start;
}

const WHY = ["--reason", "Redis is full", "--yes"];

describe("holdfast jobs clean", withProcesses, () => {
  it("previews, then deletes what matches and keeps the rest, slice by slice", async () => {
    const start = await failedCopies(500);
    const before = await redis.zcard(`${start}failed`);
    const filter = ["--code", "PERMANENT_FAILURE", "--error", "disk IS"];
    const preview = await run(["jobs", "clean", ...filter, "--dry-run"], service.env);
    expect(preview.stdout).toContain(
      "50 of the jobs that failed with PERMANENT_FAILURE whose error contains",
    );
    expect(await redis.zcard(`${start}failed`)).toBe(before);

    const cleaned = await run(["jobs", "clean", ...filter, ...WHY], service.env);
    expect(cleaned.stdout).toContain("50 deleted");
    expect(await redis.zcard(`${start}failed`)).toBe(before - 50);
    const [entry] = await operator.auditTrail(1);
    expect(entry).toMatchObject({ as: "deleted", jobId: "" });
    expect(entry?.evidence).toMatch(
      /50 jobs deleted: jobs that failed with PERMANENT_FAILURE.*: Redis is full$/,
    );
    expect(
      (await run(["jobs", "clean", ...filter, "--reason", "again", "--yes"], service.env)).stdout,
    ).toMatch(/^0 of the jobs/);
  });

  it("is made again after it was killed, and touches nothing in doubt or less old by Redis's clock", async () => {
    const start = await failedCopies(2_000);
    const doubted = await ended("clean-doubt", "doubt");
    const total = await redis.zcard(`${start}failed`);
    const child = launch(["jobs", "clean", "--state", "failed", ...WHY], service.env);
    await until("some are deleted", async () => (await redis.zcard(`${start}failed`)) < total);
    child.kill("SIGKILL");
    await child.ended;
    expect(await redis.zcard(`${start}failed`)).toBeGreaterThan(1);

    const young = await run(
      ["jobs", "clean", "--state", "failed", "--older-than", "1h", ...WHY],
      service.env,
    );
    expect(young.stdout).toMatch(/^0 of the failed jobs/);
    const ahead = {
      ...service.env,
      NODE_OPTIONS: `--import=${JUMPING_CLOCK}`,
      TEST_CLOCK_SHIFT_MS: "691200000",
    };
    const aged = await runProcess(
      ["jobs", "clean", "--state", "failed", "--older-than", "1h", ...WHY],
      ahead,
    );
    expect(aged.stdout).toMatch(/^0 of the failed jobs/);
    await run(["jobs", "clean", "--state", "failed", ...WHY], service.env);
    expect(await redis.zrange(`${start}failed`, "0", "-1")).toEqual([doubted]);
    expect(await operator.doubts(0, 10)).toMatchObject([{ jobId: doubted }]);
  });

  it.each([
    [[], "expected a filter"],
    [["--all", "--type", "acting"], "--all without a filter"],
    [["--state", "waiting"], "completed, failed"],
    [["--type", "actin", "--reason", "old"], 'did you mean "acting"?'],
    [["--code", "NOPE"], "--code: there is no error code"],
    [["--older-than", "soon", "--reason", "old"], "--older-than: expected a duration"],
    [["--type", "acting"], "expected --reason"],
  ])("refuses %j", async (args, message) => {
    const refused = await run(["jobs", "clean", ...args, "--yes"], service.env);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});
