import { describe, expect, it } from "vitest";
import { application, blocking, echo, gated } from "../../support/application.ts";
import { openGate } from "../../support/gate.ts";
import { childrenOf, type Ended, launch, launchRole, withProcesses } from "../../support/processes.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const LOCK_MS = 1_000;
/** How long a loop may stay blocked: the lock, the time-out, and a margin. */
const ENDED_WITHIN_MS = 40_000;

function lastLine(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
}

describe("a handler that blocks the event loop forever", withProcesses, () => {
  it("ends its worker's process, which names the jobs it was running", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: String(LOCK_MS) });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    const beside = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "beside" });
    await untilState(producer, beside.id, "active");
    // Its neighbour may run for a minute, so the loop may be blocked for as long.
    await openGate(service.env.REDIS_URL, beside.id);
    await untilState(producer, beside.id, "completed");
    const { id } = await producer.submit(blocking, null, { idempotencyKey: "culprit" });

    const { code, stderr }: Ended = await worker.ended;

    expect(code).toBeNull();
    const entry = lastLine(stderr);
    expect(entry).toMatchObject({ level: 60, role: "worker", code: "EVENT_LOOP_BLOCKED", jobs: [id] });
    expect(entry.silentMs).toBeGreaterThan(2 * LOCK_MS);
    expect(entry.silentMs).toBeLessThan(ENDED_WITHIN_MS);
  });

  it("ends as STARTS_EXHAUSTED under up, and its neighbours complete", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: String(LOCK_MS) });
    const producer = await service.createProducer();
    const up = launch(["up"], { ...service.env, SMTP_URL: "smtp://127.0.0.1:1" });
    await until("everything runs", () => up.stdout.includes("Ctrl-C"), 60_000);
    const { id } = await producer.submit(blocking, null, { idempotencyKey: "culprit" });
    await untilState(producer, id, "active");
    const neighbour = await producer.submit(echo, 1, { idempotencyKey: "neighbour" });

    await untilState(producer, neighbour.id, "completed");
    const { error } = await untilState(producer, id, "failed");

    expect(error).toMatchObject({ code: "STARTS_EXHAUSTED" });
    up.kill("SIGTERM");
    expect(await up.ended).toMatchObject({ code: 0 });
  });
});

describe("a handler that blocks the event loop for a while", withProcesses, () => {
  it("is not ended within its time-out and the lock, nor is a stopped idle process", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "1000" });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    worker.kill("SIGSTOP");
    await until("it is stopped", () => childrenOf(process.pid).some(({ pid }) => pid === worker.pid));
    const stoppedAt = performance.now();
    await until(
      "it was stopped for longer than it may be silent",
      () => performance.now() - stoppedAt > 4_000,
    );
    worker.kill("SIGCONT");
    const { id } = await producer.submit(blocking, 800, { idempotencyKey: "k" });
    await untilState(producer, id, "completed");
    expect(worker.stderr).not.toContain("EVENT_LOOP_BLOCKED");
  });
});
