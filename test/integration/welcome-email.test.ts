import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import application from "../../holdfast.config.ts";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";
import { startMailbox } from "../../src/mailbox/start-mailbox.ts";
import quickApplication from "../fixtures/quick-jobs/holdfast.config.ts";
import { type JobService, startJobService } from "../support/job-service.ts";
import { type ScriptedSmtp, type SmtpScript, startScriptedSmtp } from "../support/smtp-script.ts";

const payload = { email: "anoop@example.com", name: "Anoop", message: "Congratulations!" };
const quickConfig = "test/fixtures/quick-jobs/holdfast.config.ts";

/** Runs the job as it is; the other one with little patience. */
let service: JobService;
let quick: JobService;

beforeAll(async () => {
  service = await startJobService(application, "welcome");
  quick = await startJobService(quickApplication, "welcome-quick");
  await Promise.all([service.startWorker(), quick.startWorker()]);
});
afterAll(() => Promise.all([service.stop(), quick.stop()]));
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A mail server that every mail of this test goes to. */
async function mailServer(...scripts: SmtpScript[]): Promise<ScriptedSmtp> {
  const server = await startScriptedSmtp(...scripts);
  onTestFinished(() => server.stop());
  vi.stubEnv("SMTP_URL", server.url);
  return server;
}

async function submit(to: JobService, key: string): Promise<string> {
  return (await to.producer.submit(welcomeEmail, payload, { idempotencyKey: key })).id;
}

describe("the welcome email", () => {
  it("arrives once, and its job tells under which Message-ID", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
    const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
    onTestFinished(async () => {
      await mailbox.stop();
      await rm(directory, { recursive: true });
    });
    vi.stubEnv("SMTP_URL", mailbox.smtpUrl);

    const status = await service.ended(await submit(service, "signup-42"));

    const [file = "", ...others] = await readdir(directory);
    expect(others).toEqual([]);
    const mail = await simpleParser(await readFile(join(directory, file)));
    expect(mail).toMatchObject({
      subject: "Welcome, Anoop",
      to: { value: [{ address: "anoop@example.com" }] },
    });
    expect(status).toMatchObject({
      state: "completed",
      attemptsMade: 1,
      result: { messageId: mail.messageId },
      effects: [{ name: "send", state: "done" }],
    });
  });

  it("is sent after two seconds where the server refused it for now", async () => {
    const server = await mailServer({ message: "451 try later" });
    const start = performance.now();

    expect(await service.ended(await submit(service, "signup-43"))).toMatchObject({
      state: "completed",
      attemptsMade: 2,
    });
    expect(performance.now() - start).toBeGreaterThan(1_900);
    expect(server.connections).toBe(2);
  });
});

describe("a welcome email that the server did not take", () => {
  it.each<[string, SmtpScript]>([
    ["the server hangs up instead of greeting", { greeting: "close" }],
    ["the greeting does not come in time", { greeting: "stall" }],
    ["the recipient is refused for now", { RCPT: "450 greylisted" }],
    ["the connection is reset before the message was begun", { DATA: "reset" }],
    ["the time is up before the message was begun", { DATA: "stall" }],
    ["the message is refused for now", { message: "451 try later" }],
  ])("is tried again where %s", async (reason, script) => {
    const server = await mailServer(script);

    expect(await quick.ended(await submit(quick, reason))).toMatchObject({
      state: "completed",
      attemptsMade: 2,
      effects: [{ name: "send", state: "done" }],
    });
    expect(server.connections).toBe(2);
    expect(server.received).toHaveLength("message" in script ? 2 : 1);
  });

  it.each<[string, SmtpScript, string]>([
    ["the recipient is refused", { RCPT: "550 no such mailbox" }, "550 no such mailbox"],
    ["the message is refused", { message: "554 5.7.1 looks like spam" }, "554 5.7.1 looks like spam"],
  ])("fails for good where %s", async (reason, script, reply) => {
    const server = await mailServer(script);

    expect(await quick.ended(await submit(quick, reason))).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message: expect.stringContaining(reply) },
      effects: [],
    });
    expect(server.connections).toBe(1);
  });

  it("fails after its last attempt where nobody listens, with nothing in doubt", async () => {
    const server = await mailServer();
    await server.stop();

    expect(await quick.ended(await submit(quick, "nobody"))).toMatchObject({
      state: "failed",
      attemptsMade: 3,
      error: { code: "HANDLER_FAILED", message: expect.stringContaining("ECONNREFUSED") },
      effects: [],
    });
  });
});

describe("a welcome email of which nobody knows whether the server took it", () => {
  it.each<[string, SmtpScript]>([
    ["closes the connection after it", { message: "close" }],
    ["resets the connection after it", { message: "reset" }],
    ["says nothing after it", { message: "stall" }],
    ["closes the connection in the middle of it", { content: "close" }],
  ])("is held where the server %s", async (reason, script) => {
    const server = await mailServer(script);

    expect(await quick.ended(await submit(quick, reason))).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ name: "send", state: "in-doubt" }],
    });
    expect(server.connections).toBe(1);
  });
});

describe("a welcome email whose worker is killed while the server has it and says nothing", () => {
  it("is in doubt; settled as done its job completes without a second mail", async () => {
    const { id, server } = await killedInTheMiddle("killed, then done");

    await quick.operator.resolve(id, "send", { as: "done", evidence: "server log", by: "test" });

    const status = await quick.ended(id);
    const mail = await simpleParser(server.received[0] ?? "");
    expect(status).toMatchObject({ state: "completed", result: { messageId: mail.messageId } });
    expect(server.received).toHaveLength(1);
    expect(server.connections).toBe(1);
  });

  it("is in doubt; settled as not done it is sent exactly once more, as the same mail", async () => {
    const { id, server } = await killedInTheMiddle("killed, then not done");

    await quick.operator.resolve(id, "send", { as: "not-done", evidence: "server log", by: "test" });

    expect(await quick.ended(id)).toMatchObject({ state: "completed" });
    expect(server.connections).toBe(2);
    const [first, second] = await Promise.all(server.received.map((mail) => simpleParser(mail)));
    expect(second?.messageId).toBe(first?.messageId);
  });

  async function killedInTheMiddle(key: string) {
    await quick.stop();
    quick = await startJobService(quickApplication, key.replaceAll(/\W+/g, "-"));
    const server = await mailServer({ message: "stall" });
    const id = await submit(quick, key);

    await killWhen(spawnWorker(server.url), () => expect(server.received).toHaveLength(1));
    await quick.startWorker();

    expect(await quick.ended(id)).toMatchObject({
      state: "failed",
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ name: "send", state: "in-doubt" }],
    });
    expect(server.received).toHaveLength(1);
    return { id, server };
  }

  function spawnWorker(smtpUrl: string) {
    const env = { ...process.env, ...quick.env, HOLDFAST_CONFIG: quickConfig, SMTP_URL: smtpUrl };
    const child = spawn(process.execPath, ["bin/holdfast", "worker"], { env, stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  }

  async function killWhen(child: ReturnType<typeof spawnWorker>, isTime: () => void): Promise<void> {
    const gone = once(child, "exit");
    await vi.waitFor(isTime, { timeout: 20_000, interval: 5 });
    child.kill("SIGKILL");
    expect(await gone).toEqual([null, "SIGKILL"]);
  }
});
