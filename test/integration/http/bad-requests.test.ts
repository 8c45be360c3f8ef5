import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { call, get, post, sendRaw } from "../../support/http.ts";
import { createService } from "../../support/service.ts";
import { storeContents } from "../../support/store-contents.ts";

const service = createService(application, {}, afterAll);
const contents = () => storeContents(service);
let jobs: string;
let root: string;

beforeAll(async () => {
  root = (await service.startApi()).url;
  jobs = `${root}/jobs`;
});

const submission = (changes: Readonly<Record<string, unknown>> = {}) => ({
  type: "echo",
  payload: 1,
  idempotencyKey: randomUUID(),
  ...changes,
});

describe("bad input", () => {
  const good = { type: "greeting", payload: { to: "anoop@example.com", name: "Anoop" }, idempotencyKey: "k" };
  const { idempotencyKey: _, ...keyless } = good;
  const deep = "[".repeat(65) + "]".repeat(65);

  it.each<[string, unknown, string, string[]]>([
    ["no member at all", {}, "INVALID_REQUEST", ["/type", "/payload", "/idempotencyKey"]],
    ["a list", [good], "INVALID_REQUEST", ["", "/idempotencyKey"]],
    ["a text", '"text"', "INVALID_REQUEST", ["", "/idempotencyKey"]],
    ["null", "null", "INVALID_REQUEST", ["", "/idempotencyKey"]],
    ["an unknown member", { ...good, retries: 3 }, "INVALID_REQUEST", ["/retries"]],
    ["a key that is a number", { ...good, idempotencyKey: 5 }, "INVALID_REQUEST", ["/idempotencyKey"]],
    ["a type that is a number", { ...good, type: 5 }, "INVALID_REQUEST", ["/type"]],
    ["an unknown type", { ...good, type: "nope" }, "UNKNOWN_JOB_TYPE", ["/type"]],
    ["a type from a prototype", { ...good, type: "constructor" }, "UNKNOWN_JOB_TYPE", ["/type"]],
    ["no key", keyless, "IDEMPOTENCY_KEY_MISSING", ["/idempotencyKey"]],
    ["an empty key", { ...good, idempotencyKey: "" }, "IDEMPOTENCY_KEY_INVALID", ["/idempotencyKey"]],
    [
      "a long key",
      { ...good, idempotencyKey: "k".repeat(256) },
      "IDEMPOTENCY_KEY_INVALID",
      ["/idempotencyKey"],
    ],
    [
      "a line break in the key",
      { ...good, idempotencyKey: "a\nb" },
      "IDEMPOTENCY_KEY_INVALID",
      ["/idempotencyKey"],
    ],
    [
      "half a character in the key",
      JSON.stringify(good).replace('"k"', '"\\ud800"'),
      "IDEMPOTENCY_KEY_INVALID",
      ["/idempotencyKey"],
    ],
    ["no payload", { type: "greeting", idempotencyKey: "k" }, "INVALID_REQUEST", ["/payload"]],
    ["a payload of null", { ...good, payload: null }, "INVALID_PAYLOAD", ["/payload"]],
    [
      "faults in the payload",
      { ...good, payload: { to: "x", name: "", lines: ["a", 1], cc: 1 } },
      "INVALID_PAYLOAD",
      ["/payload/to", "/payload/name", "/payload/lines/1", "/payload/cc"],
    ],
    [
      "half a character in the payload",
      { ...good, payload: { ...good.payload, name: "\ud800" } },
      "INVALID_PAYLOAD",
      ["/payload/name"],
    ],
    [
      "a body of 66 levels",
      `{"type":"echo","idempotencyKey":"k","payload":${deep}}`,
      "INVALID_PAYLOAD",
      [`/payload${"/0".repeat(63)}`],
    ],
    [
      "a number that is too large",
      '{"type":"echo","idempotencyKey":"k","payload":[1e999]}',
      "INVALID_PAYLOAD",
      ["/payload/0"],
    ],
    [
      "a whole number that would become another",
      '{"type":"echo","idempotencyKey":"k","payload":{"n":9007199254740993}}',
      "INVALID_PAYLOAD",
      ["/payload/n"],
    ],
    [
      "whole numbers that would become others, in other notations",
      '{"type":"echo","idempotencyKey":"k","payload":[9007199254740993.0,9007199254740993e0,90071992547409930e-1]}',
      "INVALID_PAYLOAD",
      ["/payload/0", "/payload/1", "/payload/2"],
    ],
    [
      "members twice",
      '{"type":"echo","type":"echo","idempotencyKey":"k","payload":{"a":1,"a":1}}',
      "INVALID_REQUEST",
      ["/type", "/payload/a"],
    ],
    [
      "a poisoned prototype",
      '{"type":"echo","idempotencyKey":"k","payload":{"__proto__":1,"constructor":1}}',
      "INVALID_PAYLOAD",
      ["/payload/__proto__", "/payload/constructor"],
    ],
    ["options that are no object", { ...good, options: 5 }, "INVALID_REQUEST", ["/options"]],
    ["an unknown option", { ...good, options: { attempts: 9 } }, "INVALID_REQUEST", ["/options/attempts"]],
    ["a negative delay", { ...good, options: { delayMs: -1 } }, "INVALID_REQUEST", ["/options/delayMs"]],
    ["half a millisecond", { ...good, options: { delayMs: 0.5 } }, "INVALID_REQUEST", ["/options/delayMs"]],
    [
      "a delay of more than a year",
      { ...good, options: { delayMs: 4e10 } },
      "INVALID_REQUEST",
      ["/options/delayMs"],
    ],
    ["a delay that is text", { ...good, options: { delayMs: "5" } }, "INVALID_REQUEST", ["/options/delayMs"]],
    [
      "a start that is no date",
      { ...good, options: { runAt: "tomorrow" } },
      "INVALID_REQUEST",
      ["/options/runAt"],
    ],
    [
      "a start on a day that is not",
      { ...good, options: { runAt: "2026-02-30T00:00:00Z" } },
      "INVALID_REQUEST",
      ["/options/runAt"],
    ],
    [
      "a start without an offset",
      { ...good, options: { runAt: "2026-12-01T09:00:00" } },
      "INVALID_REQUEST",
      ["/options/runAt"],
    ],
    [
      "a start in a hundred years",
      { ...good, options: { runAt: "2126-12-01T09:00:00Z" } },
      "INVALID_REQUEST",
      ["/options/runAt"],
    ],
    [
      "both a delay and a start",
      { ...good, options: { delayMs: 0, runAt: "2020-01-01T09:00:00Z" } },
      "INVALID_REQUEST",
      ["/options/runAt"],
    ],
    [
      "a priority that is too low",
      { ...good, options: { priority: 2_097_152 } },
      "INVALID_REQUEST",
      ["/options/priority"],
    ],
    [
      "everything at once",
      { type: "nope", options: { delayMs: -1, x: 1 }, idempotencyKey: "", x: 1 },
      "INVALID_REQUEST",
      ["/options/delayMs", "/options/x", "/x", "/type", "/payload", "/idempotencyKey"],
    ],
  ])("with %s is refused as a whole, with a pointer to each issue", async (_, body, code, pointers) => {
    const before = await contents();

    const refused = await post(jobs, body);

    expect(refused.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(refused).toMatchObject({ status: 400, body: { status: 400, code } });
    const errors = refused.body.errors as { pointer: string; message: string }[];
    expect(new Set(errors.map(({ pointer }) => pointer))).toEqual(new Set(pointers));
    expect(errors.every(({ message }) => message.length > 0)).toBe(true);
    expect(await contents()).toBe(before);
  });

  it.each([
    ["no body", undefined],
    ["an empty body", ""],
    ["half a body", '{"type":'],
    ["two bodies", "{}{}"],
    ["a body that is not JSON", "<job/>"],
  ])("with %s is refused as malformed", async (_, body) => {
    const refused = await call(jobs, "POST", body, { "content-type": "application/json" });

    expect(refused).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
    expect(JSON.stringify(refused.body)).not.toMatch(/position|token|SyntaxError|node_modules/);
  });

  it("that is not UTF-8 is refused, not repaired", async () => {
    const body = Buffer.from(JSON.stringify(submission({ payload: "\xe4" })), "latin1");

    const refused = await call(jobs, "POST", body, { "content-type": "application/json" });

    expect(refused).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
    expect(refused.body.errors).toEqual([{ pointer: "", message: "expected UTF-8" }]);
  });

  it.each([
    ["content-encoding", "gzip"],
    ["content-encoding", "identity, br"],
    ["content-type", "application/json; charset=iso-8859-1"],
    ["content-type", 'application/json; x=1; charset="UTF-16"'],
  ])("with %s: %s is refused before its body is read", async (name, value) => {
    const refused = await call(jobs, "POST", "not read", {
      "content-type": "application/json",
      [name]: value,
    });

    expect(refused).toMatchObject({ status: 415, body: { code: "UNSUPPORTED_MEDIA_TYPE" } });
  });

  it("of more than a mebibyte is refused", async () => {
    const before = await contents();

    const refused = await post(jobs, submission({ payload: "x".repeat(1_048_576) }));

    expect(refused).toMatchObject({ status: 413, body: { code: "BODY_TOO_LARGE" } });
    expect(await contents()).toBe(before);
  });
});

describe("an empty body of the type of JSON", () => {
  it.each([
    ["POST", "/queues/default/resume", 200],
    ["DELETE", "/schedules/none", 404],
    ["POST", "/jobs", 400],
    ["POST", "/queues/default/pause", 400],
  ])("%s %s counts as none, and the connection stays: %i", async (method, path, status) => {
    const answer = await call(root + path, method, "", { "content-type": "application/json" });

    expect([answer.status, answer.headers.get("connection")]).toEqual([status, "keep-alive"]);
  });
});

describe("what is asked in the wrong place, or of what takes nothing,", () => {
  it.each<[string, string, unknown]>([
    ["GET", "/queues?name=default", undefined],
    ["GET", "/types?type=echo", undefined],
    ["POST", "/queues/default/pause?type=echo", { reason: "only one type" }],
    ["POST", "/jobs/x/effects/charge/resolve?as=done", { as: "not-done", evidence: "looked" }],
    ["POST", "/jobs/acts/x/stop", { act: "retry" }],
  ])("%s %s is refused, not ignored", async (method, path, body) => {
    const before = await contents();

    const refused = await call(
      root + path,
      method,
      body === undefined ? undefined : JSON.stringify(body),
      body === undefined ? {} : { "content-type": "application/json" },
    );

    expect(refused).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST", detail: expect.stringContaining("expected no such member") },
    });
    expect(await contents()).toBe(before);
  });
});

describe("a path or method that does not exist", () => {
  it.each([
    "/",
    "/nope",
    "/jobs/",
    "/jobs/x",
    "/jobs/x/status/y",
    "/JOBS",
    "/jobs//status",
    "/..%2f..%2fetc/passwd",
  ])("GET %s is answered 404, as a problem", async (path) => {
    const { status, headers, body } = await get(root + path);

    expect(status).toBe(404);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ status: 404, code: expect.stringMatching(/^(ROUTE|JOB)_NOT_FOUND$/) });
  });

  it.each([
    ["PUT", "/jobs", "GET, HEAD, POST"],
    ["DELETE", "/jobs", "GET, HEAD, POST"],
    ["POST", "/jobs/x/status", "GET, HEAD"],
    ["DELETE", "/health/live", "GET, HEAD"],
    ["PUT", "/openapi.json", "GET, HEAD"],
    ["POST", "/docs", "GET, HEAD"],
    ["POST", "/docs/reference.js", "GET, HEAD"],
    ["POST", "/console/", "GET, HEAD"],
    ["DELETE", "/console/assets/x.js", "GET, HEAD"],
  ])("%s %s is answered 405, with the allowed methods", async (method, path, allowed) => {
    const refused = await call(root + path, method);

    expect(refused).toMatchObject({ status: 405, body: { code: "METHOD_NOT_ALLOWED" } });
    expect(refused.headers.get("allow")).toBe(allowed);
  });

  it("TRACE is answered 405, too, with the allowed methods", async () => {
    const answer = await sendRaw(
      root,
      "TRACE /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );

    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer.toLowerCase()).toContain("\r\nallow: get, head, post\r\n");
  });
});

describe("what programs read or send", () => {
  it.each([
    ["GET", "/health/live"],
    ["GET", "/health/ready"],
    ["GET", "/metrics"],
    ["GET", "/jobs"],
    ["GET", "/jobs/x/status"],
    ["GET", "/nope"],
    ["PUT", "/jobs"],
    ["POST", "/jobs"],
  ])("is not kept by a cache: %s %s", async (method, path) => {
    const { headers } = await call(root + path, method);

    expect(headers.get("cache-control")).toBe("no-store");
  });
});

describe("a connection", () => {
  const head = (...lines: string[]) => `POST /jobs HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  const json = "Content-Type: application/json";

  it("with a good request and then nonsense gets the answer to the first, and no other", async () => {
    const body = JSON.stringify(submission());
    const good = `${head("Host: localhost", json, `Content-Length: ${body.length}`)}${body}`;

    const answer = await sendRaw(root, `${good}\x00 nonsense\r\n\r\n`);

    expect(answer).toMatch(/^HTTP\/1.1 202 /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});
