import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { createOperator } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { countdown } from "../../../examples/countdown/contract.ts";
import countdownApplication from "../../../examples/countdown/holdfast.config.ts";
import { payInvoice, payInvoiceHandler } from "../../../examples/effects.ts";
import { convert, exportJob, pay, push } from "../../../examples/flow/contracts.ts";
import flowApplication from "../../../examples/flow/holdfast.config.ts";
import { sendPush, submitBook } from "../../../examples/flow/submit.ts";
import { welcomeEmail } from "../../../jobs/welcome-email/contract.ts";
import { withProcesses } from "../../support/processes.ts";
import { applicationOf, createService, testEnvironment, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** What a program prints to its standard output. Its log is shown only if it fails. */
async function printedBy(args: readonly string[], env = process.env): Promise<string> {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [printed, log] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  expect(child.exitCode, `${printed}\n${log}`).toBe(0);
  return printed;
}

describe("the producer in the examples", () => {
  it("submits its job once, however often it runs", withProcesses, async () => {
    const env = { ...process.env, ...testEnvironment() };
    const runProducer = () => {
      return printedBy(["--import", "tsx", "examples/producer.ts"], env);
    };

    expect(await runProducer()).toContain("duplicate: false");
    expect(await runProducer()).toContain("duplicate: true");
  });
});

describe("the tests in the examples", () => {
  it("pass, and find the welcome email safe in each crash, as the docs show", withProcesses, async () => {
    const tests = "examples/testing/welcome-email.test.ts";
    const args = ["--import", "tsx", "--test", "--test-reporter=spec", tests];
    const printed = await printedBy(args);
    const [report = "no report"] = /Crash sweep of welcome-email[\s\S]*?before the end.*/.exec(printed) ?? [];
    expect(await readFile("docs/testing.md", "utf8")).toContain(report);
  });
});

describe("the client in the examples", () => {
  it("submits its job and follows it to its end", withProcesses, async () => {
    const handler = welcomeEmail.handler(async () => ({ messageId: "<1@example.com>" }));
    const service = createService(applicationOf(handler), { SMTP_URL: "smtp://127.0.0.1:1" });
    const [api] = await Promise.all([service.startApi(), service.startWorker()]);

    const args = ["--import", "tsx", "examples/client.ts"];
    const env = { ...process.env, API_URL: api.url };
    const printed = await printedBy(args, env);

    expect(printed).toMatch(/completed null\ncompleted \{ messageId: '<1@example.com>' \}\n$/);
  });
});

describe("the countdown in the examples", () => {
  it("fails as often as requested, then counts down and launches", async () => {
    const service = createService(countdownApplication);
    const producer = await service.createProducer();
    await service.startWorker();

    const { id } = await producer.submit(
      countdown,
      { seconds: 1, failures: 1 },
      { idempotencyKey: "countdown-1" },
    );

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "completed",
      attemptsMade: 2,
      progress: { left: 1 },
      result: { launchedAt: expect.stringMatching(/Z$/) },
      effects: [{ name: "launch", state: "done" }],
    });
  });
});

describe("flow control in the examples", () => {
  async function startExample() {
    const service = createService(flowApplication);
    const producer = await service.createProducer();
    const operator = await createOperator(flowApplication, service.env);
    onTestFinished(operator.stop);
    return { ...service, producer, operator };
  }

  it("pauses a queue, and a job that no worker begins in time expires", async () => {
    const { producer, operator, startWorker } = await startExample();
    await operator.queues.pause("default", { reason: "the test looks", by: "test" });
    await startWorker();
    const { id } = await sendPush(producer);
    const late = await producer.submit(
      push,
      { text: "too late" },
      { idempotencyKey: "late", startWithinMs: 1 },
    );
    expect((await producer.status(id))?.state).toBe("waiting");
    await operator.queues.resume("default");
    await untilState(producer, id, "completed");
    expect((await untilState(producer, late.id, "failed")).error?.code).toBe("EXPIRED");
  });

  it("limits queues, and shares one among tenants", async () => {
    const { producer, operator, startWorker, openBareQueue } = await startExample();
    await startWorker();
    await until(
      "the limits are declared",
      async () => (await operator.queues.show("exports")).limits.concurrency === 2,
    );
    await until(
      "the rate is declared",
      async () => (await operator.queues.show("books")).limits.rate === "100/1s",
    );

    await operator.queues.pause("exports", { reason: "the test looks", by: "test" });
    for (const [index, tenantId] of ["large", "large", "large", "small"].entries())
      await producer.submit(exportJob, { tenantId }, { idempotencyKey: String(index) });
    const inLine = await openBareQueue("exports").getPrioritized();
    const tenants = inLine.map(({ data }) => (data as { payload: { tenantId: string } }).payload.tenantId);
    expect(tenants.indexOf("small")).toBeLessThan(2);
  });

  it("snoozes a job until its file is there", async () => {
    const { producer, startWorker } = await startExample();
    await startWorker();
    const { id } = await producer.submit(convert, { file: "a" }, { idempotencyKey: "a" });
    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1 });
  });

  it("submits next jobs, and binds a book of its chapters", async () => {
    const { producer, operator, startWorker } = await startExample();
    await startWorker();
    const order = { order: "7", friends: ["ann"] };
    const paid = await producer.submit(pay, order, { idempotencyKey: "order-7" });
    const { id } = await submitBook(producer, "Emma", ["one", "three"]);
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 8 });
    await untilState(producer, paid.id, "completed");
    for (const [type, idempotencyKey] of [
      ["ship", "pay:order-7/ship"],
      ["invite", "pay:order-7/invite-ann"],
    ] as const)
      expect((await operator.list({ type, idempotencyKey, limit: 1 })).jobs).toHaveLength(1);
  });
});

describe("the invoice in the examples", () => {
  it("is charged once and mailed to each recipient once, although the bank's first answer is lost", async () => {
    const charges = new Map<string, { chargeId: string }>();
    const mailed: string[] = [];
    const bank = {
      async charge(_cents: number, key: string) {
        charges.set(key, { chargeId: `charge-${charges.size + 1}` });
        throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      },
      find: async (key: string) => charges.get(key),
    };
    const mail = { send: async (to: string) => void mailed.push(to) };
    const service = createService(applicationOf(payInvoiceHandler(bank, mail)));
    const producer = await service.createProducer();
    await service.startWorker();

    const { id } = await producer.submit(
      payInvoice,
      { cents: 4_200, recipients: ["a@example.com", "b@example.com"] },
      { idempotencyKey: "invoice-42" },
    );

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "completed",
      attemptsMade: 2,
      result: { chargeId: "charge-1" },
    });
    expect(charges.size).toBe(1);
    expect(mailed).toEqual(["a@example.com", "b@example.com"]);
  });
});
