import { spawn } from "node:child_process";
import { createOperator } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { retryJob } from "../../src/effect/retry-job.ts";
import type { Overview } from "../../src/operate/overview.ts";
import { queueKey } from "../../src/queue/queue-keys.ts";
import { application, echo } from "../support/application.ts";
import { addFailedCopies } from "../support/failed-copies.ts";
import { get, post } from "../support/http.ts";
import { BIN, CONFIG, run, withProcesses } from "../support/processes.ts";
import { plainStores } from "../support/queue-stores.ts";
import { createService } from "../support/service.ts";

const FAILED = 12;
const CANCELLED = 5;
const IN_DOUBT = 3;

/** Failed, cancelled and in-doubt jobs; without a worker, so retried jobs keep waiting. */
async function failures() {
  const service = createService(application);
  const producer = await service.createProducer();
  const operator = await createOperator(application, service.env);
  onTestFinished(() => operator.stop());
  const submit = async (key: string) => (await producer.submit(echo, 1, { idempotencyKey: key })).id;
  const store = service.connect();
  const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
  const fail = async (count: number, reason: string) =>
    addFailedCopies(store, start, await submit(reason), { count, every: 1, reason });
  await fail(FAILED, "HANDLER_FAILED: it broke");
  await fail(IN_DOUBT, "EFFECT_IN_DOUBT: nobody knows");
  for (let at = 0; at < CANCELLED; at += 1) await operator.cancel(await submit(`cancelled-${at}`));
  const waitingBefore = await store.llen(`${start}wait`);
  return {
    service,
    operator,
    /** The number of failed jobs by code, and of waiting ones. */
    async left() {
      const { groups } = await operator.failures();
      const counts = Object.fromEntries(groups.map(({ code, count }) => [code, count]));
      return { ...counts, retried: (await store.llen(`${start}wait`)) - waitingBefore };
    },
  };
}

const untouched = {
  HANDLER_FAILED: FAILED,
  CANCELLED,
  EFFECT_IN_DOUBT: IN_DOUBT,
  retried: 0,
};
const before = "2099-01-01T00:00:00Z";

describe("a bulk retry over HTTP", withProcesses, () => {
  it("of everything skips cancelled jobs and jobs in doubt, as a dry run announces", async () => {
    const { service, left } = await failures();
    const { url } = await service.startApi();
    const retry = async (body: object) => (await post(`${url}/failures/retry`, { before, ...body })).body;

    const preview = await retry({ all: true, dryRun: true, limit: 1 });
    expect(preview).toMatchObject({
      retried: 0,
      matching: [{ type: "echo", code: "HANDLER_FAILED", count: FAILED }],
      leftAlone: CANCELLED + IN_DOUBT,
      nextCursor: null,
    });
    expect(JSON.stringify(preview.matching)).toMatch(
      /"exampleIds":\["default_.+","default_.+","default_.+"\]/,
    );
    expect(await left()).toEqual(untouched);

    expect(await retry({ all: true })).toMatchObject({ retried: FAILED, leftAlone: CANCELLED + IN_DOUBT });
    expect(await left()).toEqual({ CANCELLED, EFFECT_IN_DOUBT: IN_DOUBT, retried: FAILED });
  });

  it("by type skips them, too; by their code it retries them", async () => {
    const { service, left } = await failures();
    const { url } = await service.startApi();
    const retry = async (body: object) => (await post(`${url}/failures/retry`, { before, ...body })).body;

    expect(await retry({ type: "echo" })).toMatchObject({ retried: FAILED, leftAlone: CANCELLED + IN_DOUBT });
    expect(await retry({ code: "CANCELLED" })).toMatchObject({ retried: CANCELLED, leftAlone: 0 });
    expect(await retry({ type: "echo", code: "EFFECT_IN_DOUBT" })).toMatchObject({ retried: IN_DOUBT });
    expect(await left()).toEqual({ retried: FAILED + CANCELLED + IN_DOUBT });
  });

  it("without a filter is refused, and nothing is retried", async () => {
    const { service, operator, left } = await failures();
    const { url } = await service.startApi();

    for (const body of [{ before }, { before, dryRun: true }, { before, all: true, code: "CANCELLED" }]) {
      const answer = await post(`${url}/failures/retry`, body);
      expect([answer.status, answer.body.code]).toEqual([400, "INVALID_REQUEST"]);
    }
    await expect(operator.retryFailed({ before: Date.now(), limit: 100 })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      issues: [{ pointer: "", message: expect.stringMatching(/type, code or both/) }],
    });
    expect(await left()).toEqual(untouched);
  });

  it("uses Redis's clock if the caller's is ahead", async () => {
    const { service } = await failures();
    const { url } = await service.startApi();
    const { body } = await post(`${url}/failures/retry`, { before, all: true, dryRun: true });
    expect(Date.parse(String(body.before))).toBeLessThanOrEqual(Date.now() + 1_000);
  });
});

describe("holdfast failures retry", withProcesses, () => {
  it("without a filter, or without a terminal to confirm in, is wrong usage and changes nothing", async () => {
    const { service, left } = await failures();
    const retry = (...args: string[]) => run(["failures", "retry", ...args], service.env);

    const [bare, contradictory, unasked] = await Promise.all([
      retry("--yes"),
      retry("--all", "--code", "CANCELLED", "--yes"),
      retry("--all"),
    ]);

    expect(bare).toMatchObject({ code: 2, stderr: expect.stringMatching(/--type .*--code .*--all/) });
    expect(contradictory).toMatchObject({ code: 2, stderr: expect.stringMatching(/--all without/) });
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringMatching(/--yes/) });
    expect(await left()).toEqual(untouched);
  });

  it("--dry-run prints what would be retried and changes nothing; --yes retries it", async () => {
    const { service, left } = await failures();
    const retry = (...args: string[]) => run(["failures", "retry", "--all", ...args], service.env);

    const dry = await retry("--dry-run");
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/^12 +echo +HANDLER_FAILED +default_\S+ default_\S+ default_\S+$/m);
    expect(dry.stdout).toMatch(/^12 failed jobs match$/m);
    expect(dry.stdout).toMatch(/^\(8 failed jobs that were cancelled or are in doubt stay as they are/m);
    expect(await left()).toEqual(untouched);

    const done = await retry("--yes");
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^12 of 12 retried$/m) });
    expect(await left()).toEqual({ CANCELLED, EFFECT_IN_DOUBT: IN_DOUBT, retried: FAILED });
  });

  it("shows the count in a terminal and asks; only a yes retries", async () => {
    const { service, left } = await failures();
    const ask = (answer: string) =>
      onTerminal(["failures", "retry", "--code", "HANDLER_FAILED"], service.env, answer);

    for (const no of ["n\n", "\n", "\u0004"]) {
      const asked = await ask(no);
      expect(asked.output).toMatch(/Retry 12 failed jobs\? \(y\/N\)/);
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

describe("a job selected for a bulk retry", () => {
  it("is skipped if it was cancelled before its turn", async () => {
    const { service, operator } = await failures();
    const { jobs } = await operator.list({ state: "failed", code: "CANCELLED", limit: 1 });
    const [id = ""] = jobs.map((job) => job.id);
    const store = plainStores(service.connect(), service.env.HOLDFAST_PREFIX).of("default");

    expect(await retryJob(store, id, "HANDLER_FAILED: it broke")).toBe("not-failed");
    expect(await retryJob(store, id, "CANCELLED: Cancelled by an operator")).toBe("retried");
  });
});

describe("cancelled jobs", withProcesses, () => {
  it("are grouped last, and counted separately from failures", async () => {
    const { service, operator } = await failures();
    const { groups } = await operator.failures();
    expect(groups.map(({ code }) => code)).toEqual(["HANDLER_FAILED", "EFFECT_IN_DOUBT", "CANCELLED"]);

    const { url } = await service.startApi();
    const { queues } = (await get(`${url}/overview`)).body as unknown as Overview;
    expect(queues).toMatchObject([{ failed: FAILED + CANCELLED + IN_DOUBT, cancelled: CANCELLED }]);
  });
});
