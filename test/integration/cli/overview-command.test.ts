import { describe, expect, it } from "vitest";
import type { Overview } from "../../../src/desk/overview/overview.ts";
import { describeOverview } from "../../../src/edges/cli/screen/overview-text.ts";
import { cellText, linesOf } from "../../../src/edges/cli/screen/text.ts";
import { application, echo, failing } from "../../support/application.ts";
import { launch, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("holdfast overview", withProcesses, () => {
  it("shows types, queues and workers", async () => {
    const { env, createProducer, startWorker } = createService(application);
    const [producer, worker] = await Promise.all([createProducer(), startWorker()]);
    const done = await producer.submit(echo, 1, { idempotencyKey: "done" });
    const failed = await producer.submit(failing, 1, { idempotencyKey: "failed" });
    await untilState(producer, done.id, "completed");
    await untilState(producer, failed.id, "failed");
    await worker.stop();
    await producer.submit(echo, 1, { idempotencyKey: "waits" });

    const { code, stdout } = await run(["overview"], env);

    expect(code).toBe(0);
    expect(stdout).toContain("1 failed, 0 in doubt, 1 waiting, 0 running");
    expect(stdout).toMatch(/^echo +0 +1 .* 0 +0 +0$/m);
    expect(stdout).toMatch(/^failing +0 +0 .* 0 +1 +0$/m);
    expect(stdout).toContain("No worker is running.");
  });

  it("prints JSON, again and again if it watches, until it is stopped", async () => {
    const { env } = createService(application);
    const watching = launch(["overview", "--watch", "--json"], env);
    await until("it has printed twice", async () => watching.stdout.split("\n").length > 2);

    watching.kill("SIGINT");

    expect((await watching.ended).code).toBe(0);
    const lines = watching.stdout.trim().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ queues: [{ name: "default" }] });
  });
});

describe("the overview as text", () => {
  it.each([50, 60, 80, 120])("is no wider than %i columns, and keeps what matters", async (width) => {
    const lines = linesOf(describeOverview(wide(), width)).map((line) => line.map(cellText).join(""));
    const text = lines.filter((line) => !line.startsWith("(no room for ")).join("\n");

    for (const line of text.split("\n").slice(4)) expect(line.length).toBeLessThanOrEqual(width);
    expect(text).toMatch(/running +waiting/);
    expect(text).toContain("3 of 10");
    expect(text).toContain("acts: 0 running, 2 waiting, the next for 2 min");
    expect(text.includes("start p99")).toBe(width >= 120);
  });
});

function wide(): Overview {
  const estimated = { count: 100, p50: 12, p95: 2_400, p99: 95_000 };
  const at = "2026-11-27T03:00:00.000Z";
  const since = "2026-11-27T02:58:00.000Z";
  return {
    at,
    problems: [],
    types: [
      {
        type: "a-type-with-a-long-name",
        queue: "default",
        active: 3,
        waiting: 12_345,
        isEstimate: true,
        oldestWaitingSince: since,
        completedPerSecond: 1_234.5,
        keptBytes: { completed: 12_345_678, failed: 1 },
        lastHour: {
          completed: 1,
          retried: 22,
          failed: 333,
          inDoubt: 1,
          timeToStart: estimated,
          runTime: estimated,
          completedEachTwoMinutes: [],
        },
      },
    ],
    queues: [],
    acts: { running: 0, waiting: 2, oldestWaitingSince: since },
    history: [],
    timeToStart: { count: 0, p50: null, p90: null, p99: null },
    runTime: { count: 0, p50: null, p90: null, p99: null },
    workers: [
      {
        name: "host:1",
        queue: "q",
        version: null,
        startedAt: since,
        seenAt: at,
        concurrency: 10,
        running: 3,
        lastClaimedAt: since,
        isSilent: false,
        isGone: false,
        stillRuns: [],
        isStuck: false,
        isClockWrong: false,
        quiet: null,
        holds: [{ jobId: "one", type: "a-type-with-a-long-name", since }],
      },
    ],
    store: { version: "8", usedBytes: 1, maxBytes: null, pingMs: 1, durability: "disk", guarantees: [] },
    guarded: { inDoubt: 0, oldestDoubtSince: null },
    hasOutbox: false,
  };
}
