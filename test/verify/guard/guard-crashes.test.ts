import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createOperator, defineConfig } from "holdfast";
import { createGuard, defineEffect, type Guard, InDoubtError } from "holdfast/guard";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const PROGRAM = fileURLToPath(new URL("../../support/fixtures/guarded-process.ts", import.meta.url));
const env = { REDIS_URL: inject("redisUrl"), HOLDFAST_PREFIX: `guard-crashes-${process.pid}` };
/** Five processes run at once beside the other tests: each has its time. */
const timeoutMs = 2_000;
const effect = defineEffect({ name: "act", timeoutMs, inDoubt: "hold" });
const redis = new Redis(env.REDIS_URL);
const operator = createOperator(defineConfig({ jobs: [] }), env);
let guard: Guard;

beforeAll(async () => {
  guard = await createGuard({ effects: [effect], env });
});
afterAll(async () => {
  await guard.stop();
  await (await operator).stop();
  redis.disconnect();
});

/** A process that runs the effect, and halts at a place. */
async function processAt(key: string, place: string) {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, key, place, String(timeoutMs)], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  expect(await next()).toBe(`at ${place}`);
  return {
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    goOn: () => void child.stdin.write("\n"),
    next,
  };
}

/** What a call finds once the other process cannot have it any more. */
async function callAfter(key: string): Promise<unknown> {
  try {
    return await guard.once(effect, { key, waitMs: 20_000 }, () => redis.incr(`acts:${key}`));
  } catch (error) {
    if (error instanceof InDoubtError) return "in doubt";
    throw error;
  }
}

const acts = async (key: string) => Number((await redis.get(`acts:${key}`)) ?? 0);

// Each waits until the time of a process is over: they wait together.
describe.concurrent("a process that dies", withProcesses, () => {
  it.for([
    // Every other moment is the exploration's.
    ["act:after", "in doubt", 1],
    ["commit:after", 1, 1],
  ] as const)("at %s leaves the next call: %s", async ([place, found, acted]) => {
    const key = randomUUID();
    const other = await processAt(key, place);
    other.kill("SIGKILL");

    expect(await callAfter(key)).toBe(found);
    expect(await callAfter(key)).toBe(found);
    expect(await acts(key)).toBe(acted);
  });

  it("leaves a doubt that is listed although nobody called again", async () => {
    const key = randomUUID();
    (await processAt(key, "act:after")).kill("SIGKILL");
    const { doubts } = await operator;
    const doubt = await until("it is listed", async () =>
      (await doubts(0, 1_000)).find(({ idempotencyKey }) => idempotencyKey === key),
    );
    expect(doubt).toMatchObject({ effect: "act", queue: "holdfast-guard", type: null, mayStillRun: true });
  });
});

describe.concurrent("a process that is paused until its time is over", withProcesses, () => {
  it("after its reservation: the next call is in doubt, and nothing acts", async () => {
    const key = randomUUID();
    const other = await processAt(key, "reserve:after");
    other.kill("SIGSTOP");

    expect(await callAfter(key)).toBe("in doubt");
    other.kill("SIGCONT");
    other.goOn();
    expect(await other.next()).toBe("EFFECT_TIMED_OUT");
    expect(await callAfter(key)).toBe("in doubt");
    expect(await acts(key)).toBe(0);
  });

  it("reports what it did, too late to count", async () => {
    const key = randomUUID();
    const other = await processAt(key, "commit:before");
    other.kill("SIGSTOP");
    await callAfter(key);
    const { doubts, resolve } = await operator;
    const find = async () => (await doubts(0, 1_000)).find(({ idempotencyKey }) => idempotencyKey === key);
    const { jobId } = await until("it is listed", find);
    const notDone = { as: "not-done", evidence: "it is not there", by: "ann" } as const;
    await expect(resolve(jobId, "act", notDone)).rejects.toMatchObject({ code: "RUN_MAY_BE_PENDING" });
    other.kill("SIGCONT");
    other.goOn();
    await other.next();

    expect(await find()).toMatchObject({ report: "done", mayStillRun: false });
    // Who looked before it acted saw nothing.
    await expect(resolve(jobId, "act", notDone)).rejects.toMatchObject({ code: "RUN_SAID_DONE" });
    const resolved = await resolve(jobId, "act", { as: "done", evidence: "it says so", by: "ann" });
    expect(resolved).toBe("next-call");
    expect(await callAfter(key)).toBe(1);
  });
});
