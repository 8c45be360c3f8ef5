import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { createService } from "../../support/service.ts";
import { storeContents } from "../../support/store-contents.ts";

const service = createService(application, {}, afterAll);
const contents = () => storeContents(service);
let root: string;

beforeAll(async () => {
  root = (await service.startApi()).url;
});

interface Result {
  readonly status: number;
  readonly id?: string;
  readonly code?: string;
  readonly duplicate?: boolean;
}

const submission = (changes: Readonly<Record<string, unknown>> = {}) => ({
  type: "echo",
  payload: { a: 1 },
  idempotencyKey: `key-${randomUUID()}`,
  ...changes,
});

const send = (jobs: unknown, headers = {}) => post(`${root}/jobs/batch`, { jobs }, headers);

async function resultsOf(jobs: readonly unknown[]): Promise<Result[]> {
  const { status, body } = await send(jobs);
  expect(status).toBe(200);
  return body.results as Result[];
}

describe("a batch", () => {
  it("makes a job of each item, in order", async () => {
    const jobs = [
      submission(),
      submission({ options: { delayMs: 60_000 } }),
      submission({ options: { priority: 3 } }),
    ];

    const results = await resultsOf(jobs);

    expect(results).toEqual(
      jobs.map(({ type, idempotencyKey }) => ({
        status: 202,
        id: expect.stringMatching(/^default_[0-9a-f-]{36}$/),
        type,
        idempotencyKey,
        duplicate: false,
        statusUrl: expect.stringMatching(/^\/jobs\/default_[0-9a-f-]{36}\/status$/),
      })),
    );
    const states = await Promise.all(results.map(({ id }) => get(`${root}/jobs/${id}/status`)));
    expect(states.map(({ body }) => body.state)).toEqual(["waiting", "delayed", "prioritized"]);
  });

  it("answers each bad item as the single call would, and accepts the others", async () => {
    const bad = [
      submission({ type: "unheard-of" }),
      submission({ idempotencyKey: "" }),
      { type: "echo", payload: {} },
      submission({ surplus: true }),
      submission({ options: { delayMs: -1 } }),
      null,
      "text",
      7,
      [],
    ];
    const alone = await Promise.all(bad.map((job) => post(`${root}/jobs`, JSON.stringify(job))));

    const results = await resultsOf([submission(), ...bad, submission()]);

    expect(results.map(({ status }) => status)).toEqual([202, ...bad.map(() => 400), 202]);
    expect(results.slice(1, -1)).toEqual(alone.map(({ body }) => body));
  });

  it("also refuses ambiguous items one by one, and accepts the others", async () => {
    const good = JSON.stringify(submission());
    const bad = [
      good.replace("{", '{"type":"other",'),
      good.replace('"a":1', '"a":9007199254740993'),
      good.replace('"a":1', `"a":${"[".repeat(64)}${"]".repeat(64)}`),
    ];
    const alone = await Promise.all(bad.map((job) => post(`${root}/jobs`, job)));

    const { status, body } = await post(`${root}/jobs/batch`, `{"jobs":[${[...bad, good].join()}]}`);

    expect(status).toBe(200);
    expect(body.results).toMatchObject([...alone.map((answer) => answer.body), { status: 202 }]);
    expect(alone.map((answer) => answer.status)).toEqual([400, 400, 400]);
  });

  it("accepts 1000 items and returns as many results", async () => {
    const results = await resultsOf(Array.from({ length: 1_000 }, () => submission()));

    expect(new Set(results.map(({ id }) => id)).size).toBe(1_000);
    expect(results.every(({ status }) => status === 202)).toBe(true);
  });
});

describe("keys in a batch", () => {
  it("make one job of items with equal content, in any order of members", async () => {
    const job = submission({ payload: { a: 1, b: 2 } });

    const [first, second] = await resultsOf([job, { ...job, payload: { b: 2, a: 1 } }]);

    expect(first).toMatchObject({ status: 202, duplicate: false });
    expect(second).toMatchObject({ status: 200, duplicate: true, id: first?.id });
  });

  it("refuse other content, while another type is another job", async () => {
    const job = submission();

    const results = await resultsOf([job, { ...job, payload: { a: 2 } }, { ...job, type: "deadly" }]);

    expect(results.map(({ status, code }) => code ?? status)).toEqual([202, "IDEMPOTENCY_KEY_REUSED", 202]);
  });

  it("are shared with single submissions", async () => {
    const job = submission();
    const { body } = await post(`${root}/jobs`, job);

    expect(await resultsOf([job])).toMatchObject([{ status: 200, duplicate: true, id: body.id }]);
  });

  it("make one job of equal items in many concurrent batches", async () => {
    const jobs = Array.from({ length: 50 }, () => submission());

    const answers = await Promise.all(Array.from({ length: 10 }, () => resultsOf(jobs)));

    for (const index of jobs.keys()) {
      expect(new Set(answers.map((results) => results[index]?.id)).size).toBe(1);
      expect(answers.filter((results) => results[index]?.status === 202)).toHaveLength(1);
    }
  });
});

describe("a batch that is refused as a whole", () => {
  it.each<[string, unknown]>([
    ["no object", []],
    ["no jobs", {}],
    ["an empty list", { jobs: [] }],
    ["1001 jobs", { jobs: Array.from({ length: 1_001 }, () => submission()) }],
    ["jobs that are no list", { jobs: { 0: submission() } }],
    ["a member that is not known", { jobs: [submission()], atomic: true }],
  ])("with %s, stores nothing", async (_, body) => {
    const before = await contents();

    expect(await post(`${root}/jobs/batch`, body)).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST" },
    });
    expect(await contents()).toEqual(before);
  });

  it("with a key in the header, which cannot apply to many", async () => {
    const before = await contents();

    const answer = await send([submission()], { "idempotency-key": "one" });

    expect(answer).toMatchObject({ status: 400, body: { code: "IDEMPOTENCY_KEY_INVALID" } });
    expect(await contents()).toEqual(before);
  });

  it("beyond 4 MiB", async () => {
    const before = await contents();
    const large = submission({ payload: { text: "x".repeat(4 * 1_048_576) } });

    expect(await send([large])).toMatchObject({ status: 413, body: { code: "BODY_TOO_LARGE" } });
    expect(await contents()).toEqual(before);
  });
});
