import { defineConfig, defineJob } from "holdfast";
import { createClient } from "holdfast/client";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { monitorCommands } from "../../support/monitor.ts";
import { createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const mail = defineJob({
  type: "mail",
  payload: z.strictObject({}),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 20_000,
  queue: "mails",
});

const application = defineConfig({ jobs: [mail], handlers: async () => [mail.handler(async () => ({}))] });

const keyed = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ payload: {}, idempotencyKey: `mail-${index}` }));

const DOWN = { reason: "mail is down", by: "ann" };

describe("an operator that has run since before its queue was divided", () => {
  it("pauses, lists and resumes every partition", async () => {
    const service = createService(application);
    const operator = await service.createOperator();
    await operator.queues.pause("mails", DOWN);
    await operator.queues.resume("mails");
    const client = service.connect();
    const stores = openQueueStores({ client, codec: createCodec([]) }, service.env.HOLDFAST_PREFIX);
    await divideQueue(stores, service.env.HOLDFAST_PREFIX, "mails", 4);

    expect(await operator.queues.pause("mails", DOWN)).toMatchObject({ partitions: 4, paused: DOWN });
    const meta = (name: string) => queueKeys(service.env.HOLDFAST_PREFIX, name).meta;
    const names = ["mails", "mails.1", "mails.2", "mails.3"];
    expect(await Promise.all(names.map((name) => client.hexists(meta(name), "paused")))).toEqual([
      1, 1, 1, 1,
    ]);

    const producer = await service.createProducer();
    const receipts = await producer.submitMany(mail, keyed(30));
    expect(await operator.list({ limit: 50, total: true })).toMatchObject({ total: { count: 30 } });
    expect(await operator.queues.show("mails")).toMatchObject({ waiting: 30 });
    await service.startWorker();
    await operator.queues.resume("mails");
    for (const receipt of receipts)
      await untilState(producer, "id" in receipt ? receipt.id : "", "completed");
  });
});

describe("the note of a pause", () => {
  it("does not outlive it, where another tool resumes the queue", async () => {
    const service = createService(application);
    const operator = await service.createOperator();
    const bare = service.openBareQueue("mails");
    await operator.queues.pause("mails", DOWN);
    await bare.resume();

    expect(await operator.queues.show("mails")).toMatchObject({ paused: null });
    await bare.pause();
    expect(await operator.queues.show("mails")).toMatchObject({
      paused: { reason: "", by: "", since: null },
    });
    expect(await operator.queues.pause("mails", DOWN)).toMatchObject({ paused: DOWN });
  });

  it("is dropped before the queue is resumed: somebody may pause it again at once", async () => {
    const service = createService(application);
    const operator = await service.createOperator();
    await operator.queues.pause("mails", DOWN);
    const { own, meta } = queueKeys(service.env.HOLDFAST_PREFIX, "mails");
    const control = own("control");
    const dropped: string[] = [];
    await monitorCommands(service.connect(), ({ text }) => {
      if (/^"hdel" .*"(note|paused)"/i.test(text))
        dropped.push(...[control, meta].filter((key) => text.includes(`"${key}"`)));
    });
    await operator.queues.resume("mails");

    await until("the pause is gone", () => dropped.includes(meta));
    expect(dropped).toEqual([control, meta]);
  });

  it("is dropped by a worker, if nobody looks", async () => {
    const service = createService(application);
    const operator = await service.createOperator();
    await operator.queues.pause("mails", DOWN);
    await service.openBareQueue("mails").resume();
    await service.startWorker();

    const control = queueKeys(service.env.HOLDFAST_PREFIX, "mails").own("control");
    const client = service.connect();
    await until("the note is gone", async () => (await client.hexists(control, "reason")) === 0);
  });
});

describe("what an operator is asked wrongly, from JavaScript", () => {
  it.each([
    ["pause", { by: "ann" }, "/reason"],
    ["pause", { reason: " ", by: "ann" }, "/reason"],
    ["pause", { reason: "bad deploy" }, "/by"],
    ["limit", { rate: "10/1s" }, "/rate"],
    ["limit", { rate: { count: 0, perMs: 10 } }, "/rate/count"],
    ["limit", { concurrency: "5" }, "/concurrency"],
    ["limit", { concurency: 5 }, "/concurency"],
  ] as const)("is refused: %s %j", async (act, asked, pointer) => {
    const service = createService(application);
    const { queues } = await service.createOperator();
    const call =
      act === "pause" ? queues.pause("mails", asked as never) : queues.limit("mails", asked as never, "ann");

    await expect(call).rejects.toMatchObject({ code: "INVALID_REQUEST", issues: [{ pointer }] });
    expect(await queues.show("mails")).toMatchObject({ paused: null, override: null });
  });
});

describe("an instant that is none, from JavaScript", () => {
  const wrong = [new Date("garbage"), "2026-12-01T09:00:00Z", 5, null] as const;

  it("refuses its own job only, and says where it is", async () => {
    const producer = await createService(application).createProducer();
    const [good = { payload: {}, idempotencyKey: "" }] = keyed(1);
    const asked = wrong.flatMap((instant, index) => [
      { ...good, idempotencyKey: `run-${index}`, runAt: instant as Date },
      { ...good, idempotencyKey: `start-${index}`, startBy: instant as Date },
    ]);
    const [first, ...others] = await producer.submitMany(mail, [good, ...asked]);

    expect(first).toMatchObject({ duplicate: false });
    expect(others).toMatchObject(
      wrong.flatMap(() => [
        {
          code: "INVALID_REQUEST",
          issues: [{ pointer: "/options/runAt", message: "expected a valid Date" }],
        },
        { code: "INVALID_REQUEST", issues: [{ pointer: "/options/startBy" }] },
      ]),
    );
    const flow = {
      parent: { job: mail, payload: {}, idempotencyKey: "flow" },
      children: [{ job: mail, payload: {}, runAt: new Date(Number.NaN) }],
    };
    await expect(producer.submitFlow(flow)).rejects.toMatchObject({
      issues: [{ pointer: "/children/0/options/runAt" }],
    });
  });

  it("is refused by the client likewise", async () => {
    const client = createClient({ url: "http://127.0.0.1:9" });
    const asked = [{ payload: {}, idempotencyKey: "1", runAt: "2026-12-01T09:00:00Z" as never }];

    expect(await client.submitMany(mail, asked)).toMatchObject([
      { code: "INVALID_REQUEST", issues: [{ pointer: "/options/runAt" }] },
    ]);
  });
});

describe("a client's address that no request can be sent to", () => {
  it.each(["nope", "", "ftp://jobs.example.com", "http://ann:secret@jobs.example.com", undefined])(
    "is refused at once: %j",
    (url) => {
      expect(() => createClient({ url: url as string })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("secret") }),
      );
    },
  );

  it("may be a path where the caller's own fetch knows the rest", async () => {
    const asked: string[] = [];
    const fetch = async (url: unknown) => {
      asked.push(String(url));
      return Response.json({ id: "a" });
    };

    await createClient({ url: "/holdfast/", fetch }).status("a");

    expect(asked).toEqual(["/holdfast/jobs/a/status"]);
  });

  it.each(["/holdfast", "/"])(
    "may be a path where a page is rendered on a server, and only a call is refused: %j",
    async (url) => {
      const client = createClient({ url });
      const refused = expect.objectContaining({ code: "CONFIG_INVALID", retryable: false });

      await expect(client.status("a")).rejects.toThrow(refused);
      await expect(client.submit("mail", {}, { idempotencyKey: "1" })).rejects.toThrow(
        /belongs to a page's origin: on a server, give the whole address/,
      );
      await expect(client.follow("a").next()).rejects.toThrow(refused);
    },
  );
});
