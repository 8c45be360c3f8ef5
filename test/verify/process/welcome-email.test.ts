import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createOperator, type Producer } from "holdfast";
import { startTestHoldfast } from "holdfast/testing";
import { simpleParser } from "mailparser";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import application from "../../../holdfast.config.ts";
import { welcomeEmail } from "../../../jobs/welcome-email/contract.ts";
import quickApplication from "../../support/fixtures/quick-jobs.config.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { createService, type Service, untilState } from "../../support/service.ts";
import { type ScriptedSmtp, type SmtpScript, startScriptedSmtp } from "../../support/smtp-script.ts";
import { until } from "../../support/until.ts";

const payload = { email: "anoop@example.com", name: "Anoop", message: "Congratulations!" };
const quickConfig = fileURLToPath(new URL("../../support/fixtures/quick-jobs.config.ts", import.meta.url));

/** Of the real job; the other one has short time-outs. */
let producer: Producer;
let quickProducer: Producer;
// Not in `beforeAll`, where `afterAll` does nothing.
const real = createService(application, { SMTP_URL: "smtp://127.0.0.1:9" }, afterAll);
const quick = createService(quickApplication, {}, afterAll);

beforeAll(async () => {
  // Each test sets its own server in this process's environment, which the handler reads.
  producer = await startJobs(real);
  quickProducer = await startJobs(quick);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function startJobs(service: Service): Promise<Producer> {
  await service.startWorker();
  return await service.createProducer();
}

/** The mail server for every mail of this test. */
async function mailServer(...scripts: SmtpScript[]): Promise<ScriptedSmtp> {
  const server = await startScriptedSmtp(...scripts);
  onTestFinished(() => server.stop());
  // A silence is noticed sooner than in the mailer's own time.
  vi.stubEnv("SMTP_URL", `${server.url}?greetingTimeout=3000&socketTimeout=3000`);
  return server;
}

async function submit(to: Producer, key: string): Promise<string> {
  return (await to.submit(welcomeEmail, payload, { idempotencyKey: key })).id;
}

async function outcome(of: Producer, key: string) {
  return await untilState(of, await submit(of, key), "completed", "failed");
}

describe("the welcome email", () => {
  it("arrives once, and its job has the Message-ID", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
    const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
    onTestFinished(async () => {
      await mailbox.stop();
      await rm(directory, { recursive: true });
    });
    vi.stubEnv("SMTP_URL", mailbox.smtpUrl);

    const status = await outcome(producer, "signup-42");

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

  it("is sent after two seconds if the server refused it temporarily", async () => {
    const server = await mailServer({ message: "451 try later" });
    const holdfast = await startTestHoldfast(application, { redisUrl: inject("redisUrl") });
    onTestFinished(() => holdfast.stop());

    const { id } = await holdfast.submit(welcomeEmail, payload);
    await holdfast.drain();
    expect(await holdfast.job(id).status()).toMatchObject({ state: "delayed", attemptsMade: 1 });

    await holdfast.clock.advance(2_000);
    await holdfast.job(id).completed();
    expect(server.connections).toBe(2);
  });
});

describe("a welcome email that the server did not accept", () => {
  it.each<[string, SmtpScript]>([
    ["the server hangs up instead of greeting", { greeting: "close" }],
    ["the greeting does not come in time", { greeting: "stall" }],
    ["the recipient is refused for now", { RCPT: "450 greylisted" }],
    ["the connection is reset before the message was begun", { DATA: "reset" }],
    ["the time is up before the message was begun", { DATA: "stall" }],
    ["the message is refused for now", { message: "451 try later" }],
  ])("is retried if %s", async (reason, script) => {
    const server = await mailServer(script);

    expect(await outcome(quickProducer, reason)).toMatchObject({
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
  ])("fails permanently if %s", async (reason, script, reply) => {
    const server = await mailServer(script);

    expect(await outcome(quickProducer, reason)).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message: expect.stringContaining(reply) },
      effects: [],
    });
    expect(server.connections).toBe(1);
  });

  it("fails after its last attempt if nobody listens, with nothing in doubt", async () => {
    const server = await mailServer();
    await server.stop();

    expect(await outcome(quickProducer, "nobody")).toMatchObject({
      state: "failed",
      attemptsMade: 3,
      error: { code: "HANDLER_FAILED", message: expect.stringContaining("ECONNREFUSED") },
      effects: [],
    });
  });
});

describe("a welcome email that the server may have accepted", () => {
  it.each<[string, SmtpScript]>([
    ["closes the connection after it", { message: "close" }],
    ["resets the connection after it", { message: "reset" }],
    ["says nothing after it", { message: "stall" }],
    ["closes the connection in the middle of it", { content: "close" }],
  ])("is held if the server %s", async (reason, script) => {
    const server = await mailServer(script);

    expect(await outcome(quickProducer, reason)).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ name: "send", state: "in-doubt" }],
    });
    expect(server.connections).toBe(1);
  });
});

describe("two welcome emails whose worker is killed before the server answers", () => {
  it(
    "are in doubt; the one resolved as done is not sent again, the one as not done exactly once more, unchanged",
    withProcesses,
    async () => {
      const service = createService(quickApplication, { HOLDFAST_LOCK_MS: "2000" });
      const submitter = await service.createProducer();
      // Of every connection: a slow machine can lose the lock, and connect again, before it has sent the message.
      const script: SmtpScript = { message: "stall" };
      const server = await mailServer(...Array.from({ length: 20 }, () => script));
      const ids = await Promise.all(["signup-42", "signup-43"].map((key) => submit(submitter, key)));

      const worker = await launchRole("worker", {
        ...service.env,
        HOLDFAST_CONFIG: quickConfig,
        SMTP_URL: server.url,
      });
      await until("the mail server has both mails", () => server.received.length === 2);
      worker.kill("SIGKILL");
      await worker.ended;
      await service.startWorker();
      for (const id of ids)
        expect(await untilState(submitter, id, "completed", "failed")).toMatchObject({
          state: "failed",
          error: { code: "EFFECT_IN_DOUBT" },
          effects: [{ name: "send", state: "in-doubt" }],
        });
      expect(server.received).toHaveLength(2);
      // Of the attempts before the doubts.
      const { connections } = server;

      delete script.message;
      await using operator = await createOperator(quickApplication, service.env);
      const resolve = async (id = "", as: "done" | "not-done") => {
        await operator.resolve(id, "send", {
          as,
          evidence: "the mail server's log",
          by: "test",
          confirm: true,
        });
        return await untilState(submitter, id, "completed");
      };
      const done = await resolve(ids[0], "done");
      const { messageId } = done.result as { messageId: string };
      expect(server.received).toHaveLength(2);
      expect(server.connections).toBe(connections);
      const sent = async () =>
        (await Promise.all(server.received.map((mail) => simpleParser(mail)))).map(
          ({ messageId }) => messageId,
        );
      const before = await sent();
      expect(before).toContain(messageId);

      const again = await resolve(ids[1], "not-done");
      expect(server.connections).toBe(connections + 1);
      const other = before.find((id) => id !== messageId);
      expect(await sent()).toEqual([...before, other]);
      expect(again.result).toMatchObject({ messageId: other });
    },
  );
});
