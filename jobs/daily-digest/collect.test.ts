import type { Operator } from "holdfast";
import { describe, expect, it } from "vitest";
import { collectDigest, READ_MAX } from "./collect.ts";

type Page = Awaited<ReturnType<Operator["list"]>>;
type ListedJob = Page["jobs"][number];

const span = { from: new Date("2026-11-23T00:00:00Z"), to: new Date("2026-11-24T00:00:00Z") };
const now = new Date("2026-11-24T07:00:00Z");
const noDoubts = { doubts: async () => [], doubtCounts: async () => new Map() };
const contracts = new Map([
  ["mail", { queue: "default" }],
  ["slow", { queue: "slow" }],
]) as never;

function job(fields: Partial<ListedJob>): ListedJob {
  return {
    ...{
      id: "default_1",
      type: "mail",
      state: "completed",
      attemptsMade: 1,
      maxAttempts: 1,
      tags: [],
      progress: null,
    },
    ...{ submittedAt: "2026-11-23T00:00:00Z", startedAt: null, finishedAt: "2026-11-23T12:00:00.000Z" },
    ...{ nextAttemptAt: null, result: null, error: null, effects: [], idempotencyKey: "k" },
    ...fields,
  };
}

function failure(message: string, fields: Partial<ListedJob> = {}): ListedJob {
  return job({ state: "failed", error: { code: "HANDLER_FAILED", message, retryable: true }, ...fields });
}

/** Lists these jobs, and counts how many were read. */
function source(jobs: readonly ListedJob[]) {
  const listed: ListedJob[] = [];
  return {
    ...noDoubts,
    listed,
    async list({ state, limit, cursor = "0" }: Parameters<Operator["list"]>[0]): Promise<Page> {
      const all = jobs.filter((candidate) => candidate.state === state);
      const page = all.slice(Number(cursor), Number(cursor) + limit);
      listed.push(...page);
      const next = Number(cursor) + limit;
      return { jobs: page, nextCursor: next < all.length ? String(next) : null, scanned: page.length };
    },
  };
}

function collect(from: Parameters<typeof collectDigest>[0], queues = ["default"]) {
  return collectDigest(from, { jobs: contracts, queues }, span, now);
}

describe("a digest's counts", () => {
  it("include what ended within the span, whose end is exclusive", async () => {
    const jobs = [
      job({ finishedAt: "2026-11-24T00:00:00.000Z" }),
      job({ finishedAt: "2026-11-23T23:59:59.999Z" }),
      job({ finishedAt: "2026-11-23T00:00:00.000Z" }),
      job({ finishedAt: "2026-11-22T23:59:59.999Z" }),
    ];
    expect((await collect(source(jobs))).counts).toEqual([
      { type: "mail", completed: 2, failed: 0, waiting: 0 },
    ]);
  });

  it("include what waits now, in any state, by type", async () => {
    const jobs = [
      job({ state: "waiting" }),
      job({ state: "delayed" }),
      job({ state: "prioritized", type: "slow" }),
      job({ state: "active" }),
    ];
    expect((await collect(source(jobs))).counts).toEqual([
      { type: "mail", completed: 0, failed: 0, waiting: 2 },
      { type: "slow", completed: 0, failed: 0, waiting: 1 },
    ]);
  });

  it("leave out earlier digests that were sent, and include those that failed", async () => {
    const digest = { type: "daily-digest" };
    const { counts } = await collect(source([job(digest), job(digest), failure("no", digest)]));
    expect(counts).toEqual([{ type: "daily-digest", completed: 0, failed: 1, waiting: 0 }]);
  });

  it("stop at the first job that is too old if there is one queue", async () => {
    const old = Array.from({ length: 1_000 }, () => job({ finishedAt: "2026-11-01T00:00:00.000Z" }));
    const read = source([job({}), ...old]);
    expect((await collect(read)).cutShort).toEqual([]);
    expect(read.listed.length).toBeLessThanOrEqual(200);
  });

  it("continue past old jobs of one queue to new ones of another", async () => {
    const old = Array.from({ length: 500 }, () => job({ finishedAt: "2026-11-01T00:00:00.000Z" }));
    const { counts } = await collect(source([...old, job({ type: "slow" })]), ["default", "slow"]);
    expect(counts).toEqual([{ type: "slow", completed: 1, failed: 0, waiting: 0 }]);
  });

  it("say where they stopped", async () => {
    const many = Array.from({ length: READ_MAX + 1 }, () => job({}));
    const read = source(many);
    const { counts, cutShort } = await collect(read);
    expect(cutShort).toEqual(["completed"]);
    expect(counts).toEqual([{ type: "mail", completed: READ_MAX, failed: 0, waiting: 0 }]);
    expect(read.listed).toHaveLength(READ_MAX);
  });

  it("do not say so if there were exactly as many as the limit", async () => {
    const many = Array.from({ length: READ_MAX }, () => job({}));
    expect((await collect(source(many))).cutShort).toEqual([]);
  });
});

describe("a digest's failures", () => {
  it("are grouped by type and reason, latest first, with an example", async () => {
    const jobs = [
      failure("refused", { id: "default_3" }),
      failure("gone", { id: "default_2" }),
      failure("refused", { id: "default_1" }),
      failure("refused", { id: "slow_1", type: "slow" }),
    ];
    expect((await collect(source(jobs))).failures).toEqual([
      { type: "mail", reason: "HANDLER_FAILED: refused", count: 2, exampleJobId: "default_3" },
      { type: "mail", reason: "HANDLER_FAILED: gone", count: 1, exampleJobId: "default_2" },
      { type: "slow", reason: "HANDLER_FAILED: refused", count: 1, exampleJobId: "slow_1" },
    ]);
  });

  it("are bounded in number and length, and their reasons are one line each", async () => {
    const jobs = Array.from({ length: 25 }, (_, index) =>
      failure(`${index}\r\nBcc: x@example.org\u202e${"x".repeat(900)}`),
    );
    const { failures, omitted } = await collect(source(jobs));
    expect(failures).toHaveLength(20);
    expect(omitted.failures).toBe(5);
    expect(failures[0]?.reason).toMatch(/^HANDLER_FAILED: 0 Bcc: x@example\.orgx{1,200}…$/);
    expect(failures[0]?.reason.length).toBe(200);
  });
});

describe("a digest's doubts", () => {
  it("have their age, oldest first, and the number of omitted ones", async () => {
    const owner = {
      queue: "default",
      dedupKey: "c",
      start: 1,
      worker: "w",
      mayStillRun: false,
      workerSeenAt: null,
    };
    const doubt = {
      jobId: "default_1",
      effect: "send",
      type: null,
      idempotencyKey: null,
      effectKey: "k",
      evidence: [],
      hint: null,
      verdict: "not seen",
      mayAskProbe: false,
      asked: null,
      ...owner,
    };
    const doubts = [
      { ...doubt, since: "2026-11-21T07:00:00.000Z", reason: "the connection\nwas lost", report: null },
      { ...doubt, since: "2026-11-24T06:59:00.000Z", reason: "its worker died", report: null },
    ];
    const doubtCounts = async () => new Map([["default", { count: 9, oldestAt: undefined }]]);
    const digest = await collect({ ...source([]), doubts: async () => doubts, doubtCounts });
    expect(digest.doubts).toEqual([
      { effect: "send", jobId: "default_1", reason: "the connection was lost", ageMs: 72 * 60 * 60 * 1000 },
      { effect: "send", jobId: "default_1", reason: "its worker died", ageMs: 60_000 },
    ]);
    expect(digest.omitted.doubts).toBe(7);
  });
});
