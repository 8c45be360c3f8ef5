import { defineConfig, defineJob, PermanentError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { invoice as invoiceBefore } from "../../../examples/changes/invoice-v1.ts";
import { invoice, invoiceHandler } from "../../../examples/changes/invoice-v2.ts";
import renamed, { bill, invoice as renamedInvoice } from "../../../examples/changes/renamed.ts";
import { call } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const login = defineJob({
  type: "login",
  payload: z.strictObject({ user: z.string(), password: z.string() }),
  result: z.null(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
  redact: { payload: ["/password"] },
});

function refuseLogin(password: string): never {
  throw new Error(`the directory refused "${password}"`);
}

const loginHandler = login.handler(async ({ payload: { password } }) => {
  try {
    refuseLogin(password);
  } catch (cause) {
    throw new PermanentError(`login with ${password} failed`, { cause });
  }
});

async function failLogin() {
  const service = createService(applicationOf(loginHandler));
  const producer = await service.createProducer();
  await service.startWorker();
  const payload = { user: "maria", password: "s3cr3t-word" };
  const { id } = await producer.submit(login, payload, { idempotencyKey: "k" });
  await untilState(producer, id, "failed");
  return { service, id };
}

describe("a failed attempt", () => {
  it("shows where it was thrown and every cause, without the job's secrets", async () => {
    const { service, id } = await failLogin();
    const api = await service.startApi();

    const { body } = await call(`${api.url}/jobs/${id}`, "GET");
    const [{ stack }] = body.attempts as [{ stack: string }];

    expect(stack).toMatch(
      /^PermanentError: login with \[redacted\] failed\n\s+at .*find-the-cause\.test\.ts/,
    );
    expect(stack).toMatch(/\ncaused by: Error: the directory refused "\[redacted\]"\n\s+at refuseLogin /);
    expect(JSON.stringify(body)).not.toContain("s3cr3t-word");
  });

  it("shows no stack in its status", async () => {
    const { service, id } = await failLogin();
    const api = await service.startApi();

    const { body } = await call(`${api.url}/jobs/${id}/status`, "GET");

    expect(body.error).toEqual({
      code: "PERMANENT_FAILURE",
      message: "login with [redacted] failed",
      retryable: false,
    });
    expect(JSON.stringify(body)).not.toContain("refuseLogin");
  });

  it("is printed by `holdfast jobs show`, stack and all", withProcesses, async () => {
    const { service, id } = await failLogin();

    const { stdout, code } = await run(["jobs", "show", id], service.env);
    const missing = await run(["jobs", "show", "default_x"], service.env);

    expect(code).toBe(0);
    expect(stdout).toContain("attempt 1 failed at ");
    expect(stdout).toContain('  caused by: Error: the directory refused "[redacted]"');
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no job") });
  });
});

describe("a job that changes", () => {
  it("runs with an old payload, which its new contract makes into the new form", async () => {
    const before = createService(defineConfig({ jobs: [invoiceBefore], handlers: async () => [] }));
    const producer = await before.createProducer();
    const payload = { customer: "c1", euros: 12.34 };
    const { id } = await producer.submit(invoiceBefore, payload, { idempotencyKey: "k" });
    const after = createService(applicationOf(invoiceHandler), before.env);

    await after.startWorker();

    expect(await untilState(producer, id, "completed")).toMatchObject({ result: { cents: 1_234 } });
    const newProducer = await after.createProducer();
    const again = await newProducer.submit(invoice, payload, { idempotencyKey: "k" });
    expect(again).toMatchObject({ id, duplicate: true });
  });

  it("runs under its old and its new name", async () => {
    const service = createService(renamed);
    const producer = await service.createProducer();
    await service.startWorker();
    const payload = { customer: "c1", cents: 5 };

    const old = await producer.submit(renamedInvoice, payload, { idempotencyKey: "k1" });
    const now = await producer.submit(bill, payload, { idempotencyKey: "k2" });

    await untilState(producer, old.id, "completed");
    await untilState(producer, now.id, "completed");
  });
});
