import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, type Producer } from "holdfast";
import { simpleParser } from "mailparser";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { dailyDigest as realDigest } from "../../../jobs/daily-digest/contract.ts";
import { dailyDigestHandler } from "../../../jobs/daily-digest/handler.ts";
import { welcomeEmail as realWelcomeEmail } from "../../../jobs/welcome-email/contract.ts";
import { welcomeEmailHandler } from "../../../jobs/welcome-email/handler.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { type SmtpScript, startScriptedSmtp } from "../../support/smtp-script.ts";

/** The real jobs with short time-outs. */
const welcomeEmail = defineJob({
  type: realWelcomeEmail.type,
  payload: realWelcomeEmail.payload,
  result: realWelcomeEmail.result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 10_000,
  effects: { send: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const digest = defineJob({
  type: realDigest.type,
  payload: realDigest.payload,
  result: realDigest.result,
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 20_000,
  effects: { send: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const application = applicationOf(
  { job: welcomeEmail, run: welcomeEmailHandler.run },
  { job: digest, run: dailyDigestHandler.run },
);

const HOUR_MS = 60 * 60 * 1000;
const hoursFromNow = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();
const secret = "Nobody else's business.";

let producer: Producer;

beforeEach(async () => {
  const service = createService(application);
  // The digest opens its own operator, on the Redis of its worker's environment.
  vi.stubEnv("REDIS_URL", service.env.REDIS_URL);
  vi.stubEnv("HOLDFAST_PREFIX", service.env.HOLDFAST_PREFIX);
  vi.stubEnv("OPERATOR_EMAIL", "ops@example.com");
  await service.startWorker();
  producer = await service.createProducer();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function mailServer(...scripts: SmtpScript[]) {
  const server = await startScriptedSmtp(...scripts);
  onTestFinished(() => server.stop());
  vi.stubEnv("SMTP_URL", server.url);
  return server;
}

async function mailbox() {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
  const box = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
  onTestFinished(async () => {
    await box.stop();
    await rm(directory, { recursive: true });
  });
  vi.stubEnv("SMTP_URL", box.smtpUrl);
  return {
    async mails() {
      const files = (await readdir(directory)).sort();
      return await Promise.all(
        files.map(async (file) => simpleParser(await readFile(join(directory, file)))),
      );
    },
  };
}

async function welcome(key: string, options: { delayMs?: number } = {}): Promise<string> {
  const payload = { email: "anoop@example.com", name: "Anoop", message: secret };
  return (await producer.submit(welcomeEmail, payload, { idempotencyKey: key, ...options })).id;
}

async function sendDigest(from: string, to: string) {
  const { id } = await producer.submit(digest, { from, to }, { idempotencyKey: `${from}-${to}` });
  return await untilState(producer, id, "completed", "failed");
}

describe("the daily digest", () => {
  it("lists what completed, what failed and why, what waits, and what is in doubt", async () => {
    await mailServer(
      {},
      {},
      { RCPT: "550 no such mailbox" },
      { RCPT: "550 no such mailbox" },
      { message: "close" },
    );
    const jobs: string[] = [];
    for (const key of ["good-1", "good-2", "refused-1", "refused-2", "lost"]) {
      jobs.push(await welcome(key));
      await untilState(producer, jobs.at(-1) ?? "", "completed", "failed");
    }
    await welcome("later", { delayMs: HOUR_MS });
    const box = await mailbox();

    const status = await sendDigest(hoursFromNow(-1), hoursFromNow(1));

    const [mail, ...others] = await box.mails();
    expect(others).toEqual([]);
    expect(status).toMatchObject({ state: "completed", result: { messageId: mail?.messageId } });
    expect(mail?.to).toMatchObject({ value: [{ address: "ops@example.com" }] });
    expect(mail?.subject).toMatch(/: 2 completed, 3 failed, 1 in doubt$/);
    expect(mail?.text).toMatch(/^welcome-email +2 +3 +1$/m);
    expect(mail?.text).toMatch(
      new RegExp(`^2 +welcome-email +${jobs[3]} +PERMANENT_FAILURE: .*550 no such mailbox`, "m"),
    );
    expect(mail?.text).toMatch(new RegExp(`^1 +welcome-email +${jobs[4]} +EFFECT_IN_DOUBT: `, "m"));
    expect(mail?.text).toMatch(new RegExp(`^less than 1 min +send +${jobs[4]} +\\S`, "m"));
    for (const text of [mail?.text, String(mail?.html)]) expect(text).not.toContain(secret);
  });

  it("reports a time span without jobs", async () => {
    const box = await mailbox();

    await sendDigest(hoursFromNow(-48), hoursFromNow(-24));
    await sendDigest(hoursFromNow(-24), hoursFromNow(1));

    const mails = await box.mails();
    expect(mails.map(({ subject }) => subject?.replace(/\d{4}-\d\d-\d\d/, "DAY"))).toEqual([
      "Daily digest for DAY: nothing happened",
      "Daily digest for DAY: nothing happened",
    ]);
  });

  it("is one mail, even with retries", async () => {
    const server = await mailServer({ greeting: "close" }, { RCPT: "450 greylisted" });

    expect(await sendDigest(hoursFromNow(-1), hoursFromNow(1))).toMatchObject({
      state: "completed",
      attemptsMade: 3,
      effects: [{ name: "send", state: "done" }],
    });
    expect(server.received).toHaveLength(1);
  });

  it("is in doubt, and not sent again, if nobody knows whether the server accepted it", async () => {
    const server = await mailServer({ message: "close" });

    expect(await sendDigest(hoursFromNow(-1), hoursFromNow(1))).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "EFFECT_IN_DOUBT" },
    });
    expect(server.connections).toBe(1);
  });
});
