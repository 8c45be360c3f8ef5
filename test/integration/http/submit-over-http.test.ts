import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { createService } from "../../support/service.ts";
import { storeContents } from "../../support/store-contents.ts";

const service = createService(application, {}, afterAll);
const contents = () => storeContents(service);
const queue = service.openBareQueue();
let jobs: string;
let root: string;

beforeAll(async () => {
  root = (await service.startApi()).url;
  jobs = `${root}/jobs`;
});

const newKey = () => `key-${randomUUID()}`;
const submission = (changes: Readonly<Record<string, unknown>> = {}) => ({
  type: "echo",
  payload: { a: 1, b: [true, null] },
  idempotencyKey: newKey(),
  ...changes,
});

describe("a submission with a new key", () => {
  it("is accepted with the job's id and the URL of its status", async () => {
    const sent = submission();

    const { status, headers, body } = await post(jobs, sent);

    const { id } = body;
    expect(status).toBe(202);
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    expect(headers.has("idempotency-replayed")).toBe(false);
    expect(headers.get("location")).toBe(`/jobs/${id}/status`);
    expect(body).toEqual({
      id: expect.stringMatching(/^default_[0-9a-f-]{36}$/),
      type: "echo",
      idempotencyKey: sent.idempotencyKey,
      duplicate: false,
      statusUrl: `/jobs/${id}/status`,
    });
    expect(await get(root + body.statusUrl)).toMatchObject({ status: 200, body: { id, state: "waiting" } });
  });

  it("becomes one plain BullMQ job with an unchanged payload", async () => {
    const sent = submission();

    const { body } = await post(jobs, sent);

    expect(await queue.getJob(body.id)).toMatchObject({
      name: "echo",
      data: { key: sent.idempotencyKey, payload: sent.payload },
      opts: { attempts: 3, backoff: { type: "fixed", delay: 50 } },
    });
  });
});

describe("a submission whose key was used before", () => {
  it("with the same content is answered with the first job's id, however often it is sent", async () => {
    const sent = submission();
    const first = await post(jobs, sent);
    const before = await queue.getJobCounts();

    for (const again of [await post(jobs, sent), await post(jobs, sent)]) {
      expect(again.status).toBe(200);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(again.headers.get("location")).toBe(first.headers.get("location"));
      expect(again.body).toEqual({ ...first.body, duplicate: true });
    }
    expect(await queue.getJobCounts()).toEqual(before);
  });

  it.each([
    ["members in another order", { payload: { b: [true, null], a: 1 } }, {}],
    ["a member that says what is so anyway", { options: { delayMs: 0, priority: 0 } }, {}],
    ["empty options", { options: {} }, {}],
    [
      "the same instant in another offset",
      { options: { runAt: "2020-01-01T09:00:00Z" } },
      { options: { runAt: "2020-01-01T14:30:00.000+05:30" } },
    ],
    ["the same number written otherwise", { payload: '{"n":1.50e1}' }, { payload: '{"n":15}' }],
    [
      "a large whole number written otherwise",
      { payload: '{"n":9.007199254740992e15}' },
      { payload: '{"n":9007199254740992}' },
    ],
    ["a name written with an escape", { payload: '{"\\u0061":1}' }, { payload: '{"a":1}' }],
  ])("with %s is the same content", async (_, one, other) => {
    const key = newKey();
    const write = (changes: Readonly<Record<string, unknown>>) => {
      const sent = submission({ idempotencyKey: key, ...changes });
      const { payload, ...rest } = sent;
      return typeof payload === "string"
        ? `${JSON.stringify(rest).slice(0, -1)},"payload":${payload}}`
        : sent;
    };

    const first = await post(jobs, write(one));
    const second = await post(jobs, write(other));

    expect([first.status, second.status]).toEqual([202, 200]);
    expect(second.body.id).toBe(first.body.id);
  });

  it.each([
    ["another payload", { payload: { a: 2, b: [true, null] } }],
    ["a list in another order", { payload: { a: 1, b: [null, true] } }],
    ["a text in place of a number", { payload: { a: "1", b: [true, null] } }],
    ["one member more", { payload: { a: 1, b: [true, null], c: null } }],
    ["one member less", { payload: { a: 1 } }],
    ["a member that only looks the same", { payload: { а: 1, b: [true, null] } }],
    ["a delay", { options: { delayMs: 1 } }],
    ["a start time", { options: { runAt: "2020-01-01T09:00:00Z" } }],
    ["a priority", { options: { priority: 1 } }],
  ])("with %s is refused, and changes nothing", async (_, changes) => {
    const sent = submission();
    const first = await post(jobs, sent);
    const counts = await queue.getJobCounts();

    const refused = await post(jobs, { ...sent, ...changes });

    expect(refused.status).toBe(422);
    expect(refused.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(refused.headers.has("idempotency-replayed")).toBe(false);
    expect(refused.body).toMatchObject({
      type: "urn:holdfast:error:IDEMPOTENCY_KEY_REUSED",
      title: expect.any(String),
      status: 422,
      detail: expect.stringContaining("nothing was stored"),
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    expect(await queue.getJobCounts()).toEqual(counts);
    expect(await post(jobs, sent)).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  it("under another type is another job", async () => {
    const key = newKey();
    const payload = { to: "anoop@example.com", name: "Anoop" };

    const one = await post(jobs, submission({ idempotencyKey: key, payload }));
    const other = await post(jobs, submission({ idempotencyKey: key, payload, type: "greeting" }));

    expect([one.status, other.status]).toEqual([202, 202]);
    expect(other.body.id).not.toBe(one.body.id);
  });

  it.each([
    ["case", "Key", "key"],
    ["a space at its end", "key", "key "],
    ["its Unicode normal form", "é", "e\u0301"],
    ["what joins type and key inside a hash", "echo\u00a0x", "echo x"],
  ])("that differs only in %s is another key", async (_, one, other) => {
    const unique = newKey();

    const answers = [
      await post(jobs, submission({ idempotencyKey: unique + one })),
      await post(jobs, submission({ idempotencyKey: unique + other })),
    ];

    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
  });
});

describe("the Idempotency-Key header", () => {
  const { idempotencyKey: _, ...keyless } = submission();
  const asHeader = (text: string) => Buffer.from(text).toString("latin1");

  it.each([
    ["bare", (key: string) => key],
    ["quoted", (key: string) => `"${key}"`],
  ])("can carry the key, %s, like the body", async (_, write) => {
    const key = newKey();

    const first = await post(jobs, keyless, { "Idempotency-Key": write(key) });
    const second = await post(jobs, { ...keyless, idempotencyKey: key });

    expect(first).toMatchObject({ status: 202, body: { idempotencyKey: key } });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  it("may contain any Unicode, as UTF-8", async () => {
    const key = `ключ-🔑-${randomUUID()}`;

    const first = await post(jobs, keyless, { "Idempotency-Key": asHeader(key) });
    const second = await post(
      jobs,
      { ...keyless, idempotencyKey: key },
      { "Idempotency-Key": asHeader(`"${key}"`) },
    );

    expect(first).toMatchObject({ status: 202, body: { idempotencyKey: key } });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  it.each([
    ["another key than the body's", { "Idempotency-Key": "other" }, submission()],
    ["nothing", { "Idempotency-Key": "" }, keyless],
    ["256 characters", { "Idempotency-Key": "x".repeat(256) }, keyless],
    ["bytes that are not UTF-8", { "Idempotency-Key": "\xe9" }, keyless],
    ["a quote that is not closed", { "Idempotency-Key": '"x' }, keyless],
  ])("with %s is refused", async (_, headers, body) => {
    const before = await contents();

    expect(await post(jobs, body, headers)).toMatchObject({
      status: 400,
      body: { code: "IDEMPOTENCY_KEY_INVALID", errors: [{ pointer: "/idempotencyKey" }] },
    });
    expect(await contents()).toBe(before);
  });

  it("sent twice is refused, even with the same key", async () => {
    const outgoing = request(jobs, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": ["same", "same"] },
    });
    outgoing.end(JSON.stringify(keyless));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];

    expect(response.statusCode).toBe(400);
    expect(JSON.parse(await text(response))).toMatchObject({ code: "IDEMPOTENCY_KEY_INVALID" });
  });
});
