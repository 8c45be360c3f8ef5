import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Notices } from "holdfast";
import { simpleParser } from "mailparser";
import { describe, expect, it } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { get, post } from "../../support/http.ts";
import { applicationWith, charge, start, untilTold } from "../../support/notices.ts";
import { startChat } from "../../support/receivers.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

describe.concurrent("doubts", () => {
  it("are told once by three APIs, grouped, in each receiver's form, and so is that they are over", async () => {
    const chat = await startChat();
    const { receiver, service } = await start({
      variables: { SLACK_URL: chat.url },
      notices: {
        consoleUrl: "https://jobs.example.com/console",
        receivers: [
          // On a busy machine an API can miss Redis for a moment, which each says itself.
          { name: "on-call", webhook: "ON_CALL_URL", secret: "ON_CALL_SECRET", kinds: ["doubt"] },
          { name: "chat", slack: "SLACK_URL", kinds: ["doubt"] },
        ],
      },
    });
    await service.startWorker();
    const apis = await Promise.all([service.startApi(), service.startApi(), service.startApi()]);
    const url = apis[0]?.url ?? "";
    const producer = await service.createProducer();
    const doubts = Array.from({ length: 30 }, (_, at) => ({
      payload: { fails: false },
      idempotencyKey: `${at}`,
    }));
    await producer.submitMany(charge, doubts);

    const began = await untilTold(receiver, "holdfast.doubt.began");
    await until("all are told", () => receiver.received.some(({ count }) => count === 30));
    await post(`${url}/doubts/resolve`, {
      filter: { type: "charge" },
      as: "done",
      evidence: "the bank says so",
    });
    const over = await untilTold(receiver, "holdfast.doubt.over");

    expect(began).toMatchObject({
      kind: "doubt",
      subject: "queue default",
      title: expect.stringMatching(/^\d+ effects? in doubt: queue default$/),
      link: "https://jobs.example.com/console/doubts",
      sentBy: null,
    });
    expect(over.title).toBe("Over: no effect in doubt: queue default");
    // More than two if they came at a bucket's edge, or slowly.
    expect(receiver.received.length).toBeLessThan(10);
    expect(new Set(receiver.received.map(({ webhookId }) => webhookId)).size).toBe(receiver.received.length);
    expect(receiver.refused).toEqual([]);
    await until("the chat has as many", () => chat.texts.length === receiver.received.length);
    expect(chat.texts[0]).toMatch(
      /^\*\d+ effects? in doubt: queue default\*\n.*\n<https:.*\|Open the console>$/s,
    );
    const { body } = await get(`${url}/notices`);
    expect(body).toMatchObject({
      receivers: [
        { name: "on-call", by: "signed JSON to the URL in ON_CALL_URL" },
        { name: "chat", by: "Slack's format to the URL in SLACK_URL", kinds: ["doubt"] },
      ],
      open: [],
    });
    expect(body.sent).toContainEqual(
      expect.objectContaining({ receiver: "chat", stage: "over", state: "delivered", error: null }),
    );
    const audit = (await get(`${url}/audit`)).body.entries as { as: string; by: string; evidence: string }[];
    expect(audit).toContainEqual(
      expect.objectContaining({
        as: "notice-delivered",
        by: "Holdfast",
        evidence: `to on-call: ${began.title}`,
      }),
    );
  });
});

describe.concurrent("a notice", () => {
  it("is delivered once its receiver is back, and kept apart from what is in line meanwhile", async () => {
    const { receiver, service } = await start({ notices: { failures: "2/1m" } });
    receiver.answer(503);
    await service.startWorker();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    const failing = ["a", "b", "c"].map((idempotencyKey) => ({ payload: { fails: true }, idempotencyKey }));
    await producer.submitMany(charge, failing);
    const sent = async () => (await get(`${url}/notices`)).body.sent as { attempts: number; error: string }[];
    const tried = await until("it was tried", async () =>
      (await sent()).find(({ attempts, error }) => attempts > 0 && error !== null),
    );
    receiver.answer(200);

    expect(tried.error).toBe("The receiver answered 503");
    expect(await untilTold(receiver, "holdfast.failures.began")).toMatchObject({
      subject: "type charge",
      count: 3,
      title: "3 jobs of type charge failed for good within 1 min",
    });
  });

  it("says that a queue is late, and who has paused it", async () => {
    const { receiver, service } = await start({ notices: { lateMs: 1_000 } });
    await service.startWorker();
    const { url } = await service.startApi();
    await post(`${url}/queues/default/pause`, { reason: "the bank is down" });
    const producer = await service.createProducer();
    await producer.submit(charge, { fails: true }, { idempotencyKey: "late" });

    expect(await untilTold(receiver, "holdfast.late.began")).toMatchObject({
      subject: "queue default",
      count: 1,
      text: expect.stringContaining("The queue is paused by API."),
    });
  });

  it("goes out by mail", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-notices-"));
    const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
    onTestFinished(async () => {
      await mailbox.stop();
      await rm(directory, { recursive: true });
    });
    const variables = { SMTP_URL: mailbox.smtpUrl };
    const receivers = [{ name: "ops", mail: "ops@example.com", from: "Holdfast <holdfast@example.com>" }];
    const { service } = await start({ notices: { receivers }, variables });
    await service.startWorker();
    const { url } = await service.startApi();

    expect(await post(`${url}/notices/test`, { receiver: "nobody" })).toMatchObject({
      status: 404,
      body: { code: "RECEIVER_NOT_FOUND", detail: 'There is no receiver "nobody"; there are ops' },
    });
    expect((await post(`${url}/notices/test`, {})).body.sent).toMatchObject([{ receiver: "ops" }]);
    const [file = ""] = await until("the mail is there", async () => {
      const files = await readdir(directory);
      return files.length > 0 && files.every((name) => name.endsWith(".eml")) && files;
    });
    expect(await simpleParser(await readFile(join(directory, file)))).toMatchObject({
      subject: expect.stringMatching(/^\[test-.*\] A test: this receiver gets Holdfast's notices$/),
      from: { text: '"Holdfast" <holdfast@example.com>' },
      to: { text: "ops@example.com" },
    });
  });
});

describe.concurrent("where no worker delivers", () => {
  it("an API sends it itself, says so, and leaves what was refused to a worker", async () => {
    const chat = await startChat();
    const { receiver, service } = await start({
      variables: { SLACK_URL: chat.url },
      notices: {
        lateMs: 1_000,
        receivers: [
          { name: "on-call", webhook: "ON_CALL_URL", secret: "ON_CALL_SECRET", kinds: ["late"] },
          { name: "chat", slack: "SLACK_URL", kinds: ["late"] },
        ],
      },
    });
    receiver.answer(503);
    const apis = await Promise.all([service.startApi(), service.startApi()]);
    const producer = await service.createProducer();
    await producer.submit(charge, { fails: true }, { idempotencyKey: "late" });
    await until("the chat is told", () => chat.texts.length > 0);
    expect(chat.texts[0]).toContain(`Sent once by the API ${hostname()}:${process.pid} itself`);
    const sent = async () => (await get(`${apis[0]?.url}/notices`)).body.sent as { receiver: string }[];
    await until("a job is left", async () => (await sent()).some(({ receiver }) => receiver === "on-call"));
    receiver.answer(200);
    await service.startWorker();
    expect(await untilTold(receiver, "holdfast.late.began")).toMatchObject({ sentBy: null });
    await until("it is over", () => chat.texts.some((text) => text.startsWith("*Over")));
    expect(chat.texts.filter((text) => !text.startsWith("*Over"))).toHaveLength(1);
  });
});

describe.concurrent("where Redis takes no job", () => {
  it("each API sends it itself, and says so", async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const { receiver, service } = await start({ variables: { REDIS_URL: redis.url } });
    await service.startApi();
    await redis.kill();

    expect(await untilTold(receiver, "holdfast.redis.began")).toMatchObject({
      title: "Redis cannot be reached",
      sentBy: expect.stringContaining(`:${process.pid}`),
    });
    await redis.restart();
    expect(await untilTold(receiver, "holdfast.redis.over")).toMatchObject({ sentBy: expect.any(String) });
  });

  it("tells that it has lost data, and once that is accepted, that it is over", async () => {
    const { receiver, service } = await start();
    await service.startWorker();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await producer.submit(charge, { fails: true }, { idempotencyKey: "first" });
    const client = service.connect();
    const keys = await client.keys(`${service.env.HOLDFAST_PREFIX}:{default}:*`);
    await client.del(...keys);
    const lost = await untilTold(receiver, "holdfast.data-lost.began");
    await post(`${url}/store/accept-loss`, { evidence: "a test" });

    expect(lost).toMatchObject({ subject: "what default has acknowledged", count: 1 });
    expect((await untilTold(receiver, "holdfast.data-lost.over")).since).toBe(lost.since);
  });
});

describe("an application that declares notices", () => {
  const base = { name: "ops", slack: "SLACK_URL" };

  it.each([
    ["no receiver", { receivers: [] }, /notices\.receivers/],
    [
      "a URL in place of a variable",
      { receivers: [{ name: "ops", slack: "https://a.b/c" }] },
      /notices\.receivers\.0/,
    ],
    [
      "a webhook without a secret",
      { receivers: [{ name: "ops", webhook: "ON_CALL_URL" }] },
      /webhook and secret/,
    ],
    ["the same name twice", { receivers: [base, base] }, /receiver "ops": declared twice/],
    ["a rate by the second", { receivers: [base], failures: "10/1s" }, /notices\.failures/],
    ["an unknown member", { receivers: [base], every: 1 }, /notices: /],
  ])("is refused with %s", (_, notices, message) => {
    expect(() => applicationWith(notices as Notices)).toThrow(message);
  });

  it.each([
    ["missing", "", "got nothing"],
    ["wrong", "whsec_short", "got (hidden)"],
  ])("starts neither an API nor a worker while a variable is %s", async (_, secret, got) => {
    const { service } = await start({ variables: { ON_CALL_SECRET: secret } });
    const message = `ON_CALL_SECRET: expected whsec_ and 24 to 64 bytes in base64 (required by notices to on-call), ${got}`;

    await expect(service.startApi()).rejects.toMatchObject({ code: "CONFIG_INVALID", message });
    await expect(service.startWorker()).rejects.toMatchObject({ code: "CONFIG_INVALID", message });
  });
});
